"""Starting supervisors and ending what is left of them."""

import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

from workers.spec import Spec
from workers.supervise import descendants, is_alive

MARK = "AIFS_RUN"
"""In the environment of every process of a run: the run directory."""
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH")


def child_environment(spec: Spec, directory: Path) -> dict[str, str]:
    """All that a run sees of the agent's environment: no address, no secret."""
    scratch = directory / "scratch"
    threads = str(max(1, spec.cpus))
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "LANG": "C.UTF-8",
        **kept,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "AIFS_NODE_HOST": settings.AIFS_NODE_HOST,
        MARK: str(directory),
        **device_environment(spec.accelerators),
    }


def device_environment(granted: list[dict[str, Any]]) -> dict[str, str]:
    """Shows a run the devices it was given and hides all others, in each vendor's way."""
    from workers.accelerators.base import vendors

    environment: dict[str, str] = {}
    for _name, vendor in vendors.items():
        environment |= vendor.environment([device for device in granted if device["vendor"] == vendor.name])
    return environment


def new_launch(directory: Path) -> str | None:
    """Make the run directory ready for one more launch, or None when a supervisor already has it.

    A supervisor that an earlier agent started and that is not there yet will find another launch named, and end.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "supervisor.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if (directory / "supervisor.json").exists():
            return None
        launch = secrets.token_hex(8)
        (directory / "launch").write_text(launch)
    return launch


class Supervisors:
    """Starts supervisors, one ahead of need: a job then waits for no interpreter. For the main thread only."""

    def __init__(self) -> None:
        self.spare: subprocess.Popen[bytes] | None = None

    def keep_spare(self) -> None:
        if self.spare is None or self.spare.poll() is not None:
            self.spare = self._start()

    def launch(self, directory: Path, spec: Spec, launch: str, secrets: dict[str, str]) -> "subprocess.Popen[bytes]":
        """Hand a run to a supervisor."""
        order = {
            "directory": str(directory),
            "launch": launch,
            # Earlier than the records give the job away: they were renewed up to a heartbeat before the last touch.
            "lease_s": settings.AIFS_LEASE_S - settings.AIFS_HEARTBEAT_S,
            "grace_s": settings.AIFS_STOP_GRACE_S,
            "environment": child_environment(spec, directory),
        }
        self.keep_spare()
        process, self.spare = self.spare, None
        assert process is not None and process.stdin is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(order).encode() + b"\n" + json.dumps(secrets).encode())
            process.stdin.close()
        return process

    def end(self) -> None:
        """Let the spare go."""
        if self.spare is not None and self.spare.stdin is not None:
            self.spare.stdin.close()
            self.spare.wait(5)

    def _start(self) -> "subprocess.Popen[bytes]":
        """In a session of its own, so that it outlives the agent; with nothing of the agent's environment."""
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-S", "-m", "workers.supervise"],
            stdin=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            env={**kept, "PYTHONPATH": str(settings.BASE_DIR)},
            start_new_session=True,
        )


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text())
        return value
    except (FileNotFoundError, ValueError):
        return None


def tell(who: dict[str, Any] | None, number: signal.Signals) -> None:
    """Signal a supervisor, if the very same process still runs."""
    if who and is_alive(who):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(who["pid"]), number)


def end_by_force(who: dict[str, Any] | None, directory: Path) -> None:
    """For a supervisor that no longer listens: its descendants first, since they would be orphaned, then itself."""
    if who and is_alive(who):
        for pid in [*descendants(int(who["pid"])), int(who["pid"])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    sweep(lambda run: run == str(directory))


def sweep(doomed: Any) -> list[int]:
    """Kill every process that carries the mark of a run for which `doomed(run directory)` is true."""
    killed = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        run = mark_of(int(entry))
        if run and doomed(run):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry), signal.SIGKILL)
                killed.append(int(entry))
    return killed


def mark_of(pid: int) -> str:
    """The run directory a process belongs to; empty for all others."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    for pair in environment.split(b"\0"):
        if pair.startswith(f"{MARK}=".encode()):
            return os.fsdecode(pair.partition(b"=")[2])
    return ""
