"""Starting an installed stack, and what its web process weighs.

Targets: `up` returns within 20 s, the second time too; the web process stays under 250 MB after it has answered
requests of every kind, and holds no torch.
"""

import time
from pathlib import Path
from typing import Any

import psutil

from tests.stack.stacks import Stack

UP_S = 20.0
WEB_MB = 250.0
PARENTS = {"guardian", "supervisor"}
"""Every part is their child, and would be counted twice."""
PATHS = ("/api/v1/job-kinds/", "/api/v1/jobs/", "/api/v1/datasets/", "/api/v1/models/", "/api/v1/projects/")


def run(folder: Path) -> dict[str, Any]:
    stack = Stack(folder / "home")
    first = timed(stack.up)
    try:
        for path in PATHS * 20:
            stack.get(path)
        sizes = {name: megabytes(process.pid) for name, process in stack.processes().items() if name not in PARENTS}
        has_torch = "libtorch" in Path(f"/proc/{stack.processes()['web'].pid}/maps").read_text()
        down = timed(stack.down)
        second = timed(stack.up)
    finally:
        stack.down()
    return {
        "first_up_s": first,
        "second_up_s": second,
        "down_s": down,
        "resident_mb": sizes,
        "web_has_torch": has_torch,
        "targets": {"up_s": UP_S, "web_mb": WEB_MB},
        "passed": max(first, second) <= UP_S and sizes["web"] <= WEB_MB and not has_torch,
    }


def timed(action: Any) -> float:
    began = time.monotonic()
    action()
    return round(time.monotonic() - began, 1)


def megabytes(pid: int) -> float:
    """Resident memory of a process with its children, in 10^6 bytes."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return round(sum(member.memory_info().rss for member in family) / 1e6, 1)
