"""The process table, as far as runs go: supervisors, children and grandchildren by the run directory they belong to."""

import os
from collections.abc import Iterable
from pathlib import Path

from workers.supervise import stat_fields

MARK = b"AIFS_RUN="


def of_homes(homes: Iterable[Path]) -> dict[int, str]:
    """pid → run directory (`HOME/runs/JOB/NUMBER`) of every living process of a run. A child carries the mark in its
    environment, a supervisor works in the directory."""
    roots = tuple(f"{home / 'runs'}/" for home in homes)
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (run := _mark(int(entry)) or _folder(int(entry))).startswith(roots) and roots:
            fields = stat_fields(int(entry))
            if fields and fields[0] not in "ZX":
                found[int(entry)] = "/".join(run.split("/")[: _depth(run, roots)])
    return found


def _depth(run: str, roots: tuple[str, ...]) -> int:
    """A child may have changed into a folder below its run directory."""
    return next(root.count("/") + 2 for root in roots if run.startswith(root))


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120].strip()
    except OSError:
        return "gone"


def _mark(pid: int) -> str:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    return next((os.fsdecode(pair.removeprefix(MARK)) for pair in variables if pair.startswith(MARK)), "")


def _folder(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""
