"""The running installation the demo talks to, started when it is not up."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent


def home() -> Path:
    return Path(os.environ.get("AIFS_HOME") or ROOT / "var").resolve()


def ready() -> dict[str, Any]:
    """Access to the stack; `python -m aifs.embedded up` runs when nothing answers. Raises CalledProcessError."""
    access = _access()
    if access is None or not _answers(access["url"]):
        subprocess.run([sys.executable, "-m", "aifs.embedded", "up"], cwd=ROOT, check=True, stdout=sys.stderr)
        access = _access()
    if access is None:
        raise FileNotFoundError(f"the stack left no {home() / 'access.json'}")
    return access


def _access() -> dict[str, Any] | None:
    path = home() / "access.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False
