"""The PostgreSQL of the tests: one for all test runs of a user, on no-sync storage, gone by itself when idle.

`python -m tests.servers DIRECTORY` is the keeper: it owns the server and stops it when no test run has used it for
`IDLE_S` (at once in CI). Each run gets databases of its own, cloned from a template that was migrated once.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from aifs.embedded.ports import free_port
from aifs.embedded.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
IDLE_S = 0 if os.environ.get("CI") else 300
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
FAST |= {"shared_buffers": "64MB", "max_wal_size": "256MB", "wal_level": "minimal", "max_wal_senders": "0"}
FAST |= {"autovacuum": "off", "jit": "off"}


def directory() -> Path:
    """A private folder for this user and this checkout."""
    mark = hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]
    path = Path(tempfile.gettempdir()) / f"aifs-tests-{os.getuid()}-{mark}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def alive(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


def users(folder: Path) -> list[str]:
    """Process ids of the test runs that use the server now; marks of dead ones are removed."""
    found = []
    for mark in (folder / "users").glob("*"):
        if alive(mark.name):
            found.append(mark.name)
        else:
            mark.unlink(missing_ok=True)
    return found


def acquire() -> str:
    """Join the running server or start one. Returns the URL of its `postgres` database."""
    folder = directory()
    with locked(folder / "lock"):
        (folder / "users").mkdir(exist_ok=True)
        (folder / "users" / str(os.getpid())).touch()
        state = folder / "server.json"
        if not state.exists() or not alive(json.loads(state.read_text())["keeper"]):
            state.unlink(missing_ok=True)
            with (folder / "keeper.log").open("ab") as log:
                command = [sys.executable, "-m", "tests.servers", str(folder)]
                subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            until = time.monotonic() + 90
            while not state.exists():
                if time.monotonic() > until:
                    raise RuntimeError(f"the test PostgreSQL did not start; see {folder}/keeper.log")
                time.sleep(0.05)
        url: str = json.loads(state.read_text())["url"]
    _sweep(url)
    return url


def release() -> None:
    (directory() / "users" / str(os.getpid())).unlink(missing_ok=True)


def _sweep(url: str) -> None:
    """Drop the databases of test runs that were killed: their names end in the process id of the run."""
    with psycopg.connect(url, autocommit=True) as connection:
        for (name,) in connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_run\\_%'"
        ).fetchall():
            if not alive(name.split("_")[2]):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def schema_mark() -> str:
    """Changes whenever a model or a migration does, so that a stale template is never used. Tables of other packages
    change with their versions, and with which of them are installed."""
    apps = (ROOT / "aifs/settings.py").read_text().partition("INSTALLED_APPS")[2].partition("]")[0]
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes() + apps.encode())
    for path in sorted(
        [*ROOT.glob("apps/*/models*"), *ROOT.glob("apps/*/models/*.py"), *ROOT.glob("apps/*/migrations/*.py")]
    ):
        if path.is_file():
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def keep(folder: Path) -> None:
    """Run the server until it has had no user for IDLE_S."""
    server = Postgres(folder / "postgres", free_port(), _password(folder), settings=FAST)
    server.start()
    state = {"keeper": str(os.getpid()), "url": server.url_of("postgres")}
    temporary = folder / "server.json.new"
    temporary.write_text(json.dumps(state))
    temporary.rename(folder / "server.json")
    used = time.monotonic()
    while True:
        time.sleep(1)
        with locked(folder / "lock"):
            if users(folder):
                used = time.monotonic()
            crashed = server.process is None or server.process.poll() is not None
            if crashed or (time.monotonic() - used >= IDLE_S and not users(folder)):
                (folder / "server.json").unlink(missing_ok=True)
                server.stop()
                return


def _password(folder: Path) -> str:
    path = folder / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
