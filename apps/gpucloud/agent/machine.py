"""What this machine is and has, for the node's row."""

import os
import shutil
from pathlib import Path
from typing import Any

import psutil

from workers.accelerators.base import detect


def facts(runs_dir: Path) -> dict[str, Any]:
    return {
        "cpus": usable_cpus(),
        "memory_mib": usable_memory_mib(),
        "disk_free_mib": shutil.disk_usage(runs_dir).free >> 20,
        "load": os.getloadavg()[0],
    }


def usable_cpus() -> int:
    """Cores this process may use, within the control group's share."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores


def usable_memory_mib() -> int:
    total = int(psutil.virtual_memory().total)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        return min(total, int(limit)) >> 20 if limit != "max" else total >> 20
    except (OSError, ValueError):
        return total >> 20


def devices() -> list[dict[str, Any]]:
    """Every accelerator that a vendor's tool reports now, and the processor."""
    return [device.as_json() for device in detect()]
