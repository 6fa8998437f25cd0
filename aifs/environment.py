"""Small typed readers of environment variables, used by `aifs/settings.py` alone.

An embedded stack leaves its addresses and secrets in `$AIFS_HOME/stack.env`; what the real environment says wins.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("AIFS_HOME") or ROOT / "var").resolve()


def load_stack_file(path: Path = HOME / "stack.env") -> None:
    """Read NAME=value lines into the environment, without overriding what is set."""
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        name, found, value = line.partition("=")
        if found and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def decimal(name: str, default: float) -> float:
    return float(os.environ.get(name) or default)


def flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]
