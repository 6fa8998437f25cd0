"""A running `lms.serve` of a model folder, started by hand as `python -m workers` does it. No Django."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.workers import tiny

START_S = 60.0


def until(true: Callable[[], Any], within_s: float = 10.0, every_s: float = 0.02) -> Any:
    """Wait for something to become true and return it."""
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every_s)
    return found


@dataclass
class Engine:
    """A running `lms.serve`. It speaks plain HTTP: nothing is verified, which would cost 50 ms of every question."""

    process: subprocess.Popen[str]
    directory: Path
    url: str
    key: str

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=self.headers, timeout=30, verify=False)  # noqa: S501

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, headers=self.headers, timeout=60, verify=False, **options)  # noqa: S501

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """Server and engine at once, as when a machine dies."""
        kill_children(self.process.pid)
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(timeout=10)


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def kill_children(pid: int) -> None:
    for child in children(pid):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


@contextmanager
def serving(directory: Path, model: Path, **params: Any) -> Iterator[Engine]:
    """An instance of a model folder, stopped at the end."""
    given = {"model": "m", "cache_gib": 0.05, **params}
    spec = tiny.write_spec(directory, "lms.serve", given, {"model": ("model_version", model, {})})
    process = tiny.start(spec)
    try:

        def ready() -> Any:
            assert process.poll() is None, (directory / "output.log").read_text()[-2000:]
            return tiny.read_events(directory, "ready")

        url = until(ready, START_S, 0.1)[0]["data"]["url"]
        yield Engine(process, directory, url, (directory / "scratch/serve/instance-key").read_text())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
