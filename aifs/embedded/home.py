"""`$AIFS_HOME`: where everything of one stack lies, and `stack.env`, the addresses and secrets of its parts."""

import json
import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from aifs.embedded.ports import LOOPBACK, free_port, is_taken
from aifs.embedded.postgres import Postgres
from aifs.embedded.redis import Redis

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_PORTS = {"AIFS_PORT": 8000, "AIFS_GATEWAY_PORT": 8001, "AIFS_GRPC_PORT": 8002}


class Home:
    """Paths under one AIFS_HOME. Made with mode 0700: it holds secrets and data."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or Path(os.environ.get("AIFS_HOME") or ROOT / "var")).resolve()

    @property
    def stack_env(self) -> Path:
        return self.path / "stack.env"

    @property
    def access(self) -> Path:
        return self.path / "access.json"

    @property
    def state(self) -> Path:
        """What runs now, written by the parent: see `parent.py`."""
        return self.path / "run" / "stack.json"

    @property
    def lock(self) -> Path:
        """Held by the parent for as long as it lives."""
        return self.path / "run" / "stack.lock"

    def log(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"

    def ready_mark(self, name: str) -> Path:
        """A part touches this file once it works; the name is in its AIFS_READY_FILE."""
        return self.path / "run" / f"{name}.ready"

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("log", "run"):
            (self.path / name).mkdir(exist_ok=True, mode=0o700)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner alone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file, or nothing when there is no such file."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


class Configuration:
    """`stack.env` of a home, completed: what the environment says wins, what is missing is made at random.

    `postgres` and `redis` are None where DATABASE_URL or REDIS_URL names a server that is not ours. `running`: the
    parts that still run and keep their port.
    """

    def __init__(self, home: Home, environment: Mapping[str, str] = os.environ, running: Collection[str] = ()) -> None:
        self.home = home
        self.environment = environment
        self.running = running
        self.values = _read(home.stack_env)
        for name, port in PUBLIC_PORTS.items():
            self.values[name] = environment.get(name) or self.values.get(name) or str(port)
        self.values["AIFS_HOME"] = str(home.path)
        self.values["AIFS_URL"] = environment.get("AIFS_URL") or f"http://{LOOPBACK}:{self.values['AIFS_PORT']}"
        gateway = f"http://{LOOPBACK}:{self.values['AIFS_GATEWAY_PORT']}"
        self.values["AIFS_GATEWAY_URL"] = environment.get("AIFS_GATEWAY_URL") or gateway
        self.values.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
        self.values.setdefault("STORAGE_URL", f"file://{home.path / 'storage'}")
        self.postgres = None if environment.get("DATABASE_URL") else self._postgres()
        self.redis = None if environment.get("REDIS_URL") else self._redis()

    def port(self, name: str) -> int:
        return int(self.values[name])

    @property
    def database_url(self) -> str:
        return self.environment.get("DATABASE_URL") or self.values["DATABASE_URL"]

    def _postgres(self) -> Postgres:
        port, password = self._server("postgres", "DATABASE_URL")
        server = Postgres(self.home.path / "postgres", port, password, settings={"max_connections": "200"})
        self.values["DATABASE_URL"] = server.url
        return server

    def _redis(self) -> Redis:
        port, password = self._server("redis", "REDIS_URL")
        server = Redis(self.home.path / "redis", port, password)
        self.values["REDIS_URL"] = server.url
        return server

    def _server(self, part: str, name: str) -> tuple[int, str]:
        """Port and password from the last start; another port when someone else took it meanwhile."""
        url = urlsplit(self.values.get(name, ""))
        port = url.port or free_port()
        if part not in self.running and is_taken(port):
            port = free_port()
        return port, unquote(url.password or "") or secrets.token_urlsafe(32)

    def save(self) -> None:
        lines = [f"{name}={value}" for name, value in sorted(self.values.items())]
        write_private(self.home.stack_env, "\n".join(["# Made by `make up`; holds secrets.", *lines]) + "\n")


def _read(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip() for name, found, value in pairs if found}
