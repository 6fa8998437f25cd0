"""Processes by pid and start time, so that a number which the system gave to another process is never mistaken."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """pid, and its start in clock ticks since boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The process that has this pid now; None for none, and for a zombie."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in {"Z", "X"} else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        return ProcessId.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal the process if it is still this one."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def with_variable(name: str, start: str) -> list[ProcessId]:
    """Processes of ours whose environment variable `name` has a value that starts so."""
    wanted, found = f"{name}={start}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            process = ProcessId.of(int(folder.name))
            if process and any(variable.startswith(wanted) for variable in variables):
                found.append(process)
    return found


def kill_group(group: int) -> None:
    """Kill what is left of a process group; no error when nothing is."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
