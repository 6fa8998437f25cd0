"""Small typed readers of environment variables, used by `aifs/settings.py` alone, and the list of them all.

An embedded stack leaves its addresses and secrets in `$AIFS_HOME/stack.env`; what the real environment says wins.
"""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

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


def price(name: str) -> float | None:
    """What a unit costs; None when nobody says. Raises ValueError for what is no price."""
    given = os.environ.get(name, "").strip()
    value = float(given) if given else None
    if value is not None and not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a number that is not negative, not {given!r}")
    return value


def flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


@dataclass(frozen=True)
class Variable:
    """One variable of `.env.example`."""

    name: str
    default: str
    meaning: str

    @property
    def is_set(self) -> bool:
        return bool(os.environ.get(self.name))

    def shown(self) -> str:
        """What it is now, fit to be looked at: a secret as dots, an address without password and options."""
        value = os.environ.get(self.name) or self.default
        if re.search(r"SECRET|PASSWORD|TOKEN|_KEY$", self.name):
            return "••••••" if self.is_set else ""
        address = urlsplit(value)
        if not address.netloc:
            return value
        who, at, host = address.netloc.rpartition("@")
        name, colon, _password = who.partition(":")
        hidden = f"{name}{colon}{'••••••' if colon else ''}{at}{host}"
        return urlunsplit(address._replace(netloc=hidden, query="…" if address.query else ""))


def variables() -> dict[str, list[Variable]]:
    """{group: [variable]} of `.env.example`: its headings, its comments, its defaults."""
    groups: dict[str, list[Variable]] = {}
    comment: list[str] = []
    heading = ""
    for line in (ROOT / ".env.example").read_text().splitlines():
        if found := re.match(r"# --- (.+)", line):
            heading, comment = found[1].capitalize(), []
        elif found := re.match(r"#? ?([A-Z][A-Z0-9_]+)=(.*)", line):
            groups.setdefault(heading, []).append(Variable(found[1], found[2], " ".join(comment)))
            comment = []
        else:
            comment = [*comment, line.lstrip("# ")] if line.startswith("#") else []
    return groups
