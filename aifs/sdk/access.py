"""Where an installation is and which key opens it.

In this order: arguments; AIFS_URL and AIFS_API_KEY; `$AIFS_HOME/access.json` when AIFS_HOME is set; what `aifs login`
stored; `var/access.json` of the current folder, which `make up` writes.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aifs.sdk.errors import NotSignedIn

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Access:
    """project: default of calls that need one; empty when the key's own is meant."""

    url: str
    api_key: str
    project: str = ""
    gateway_url: str = ""


def config_path() -> Path:
    """Where `aifs login` stores what it was told."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "aifs" / "access.json"


def find_access(
    url: str | None = None, api_key: str | None = None, project: str | None = None, gateway_url: str | None = None
) -> Access:
    """Settle on one installation. Raises NotSignedIn when no key is known for it."""
    wanted_url = url or os.environ.get("AIFS_URL", "")
    wanted_key = api_key or os.environ.get("AIFS_API_KEY", "")
    stored = _stored(wanted_url)
    key = wanted_key or stored.get("api_key", "")
    if not key:
        raise NotSignedIn(
            "No API key is known.",
            code="no_key",
            hint="Set AIFS_URL and AIFS_API_KEY, or run `aifs login`, or `make up` in this folder.",
        )
    return Access(
        url=(wanted_url or stored.get("url") or DEFAULT_URL).rstrip("/"),
        api_key=key,
        project=project or os.environ.get("AIFS_PROJECT") or stored.get("project", ""),
        gateway_url=(gateway_url or os.environ.get("AIFS_GATEWAY_URL") or stored.get("gateway_url", "")).rstrip("/"),
    )


def store_access(access: Access) -> Path:
    """Remember an installation for later calls; only the user can read the file."""
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(access.__dict__, file, indent=1)
    temporary.replace(path)
    return path


def _stored(url: str) -> dict[str, Any]:
    """The first stored access, if it is for this address."""
    places = [config_path(), Path("var") / "access.json"]
    if os.environ.get("AIFS_HOME"):
        places.insert(0, Path(os.environ["AIFS_HOME"]) / "access.json")
    for place in places:
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(place.read_text())
            if isinstance(found, dict) and (not url or str(found.get("url", "")).rstrip("/") == url.rstrip("/")):
                return found
    return {}
