"""Numbers from samples, and what machine they came from."""

import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

LIBRARIES = ("django", "celery", "psycopg", "torch", "transformers", "trl", "openvino-genai")


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all do not exceed."""
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


def summary(samples: Sequence[float]) -> dict[str, float]:
    """n, median, 95th percentile and extremes, in the samples' unit."""
    return {
        "n": len(samples),
        "p50": round(statistics.median(samples), 3),
        "p95": round(quantile(samples, 0.95), 3),
        "min": round(min(samples), 3),
        "max": round(max(samples), 3),
    }


def command(arguments: Sequence[str], cwd: Path, environment: dict[str, str]) -> dict[str, float]:
    """Run a command with its output on standard error. Returns its exit status, wall time, and the seconds that all
    cores of the machine were busy meanwhile: what it started lives in processes that are not its children any more.
    """
    began, busy = time.monotonic(), busy_s()
    status = subprocess.run(arguments, cwd=cwd, env=environment, stdout=sys.stderr, check=False).returncode
    return {"exit": status, "wall_s": round(time.monotonic() - began, 1), "busy_s": round(busy_s() - busy, 1)}


def busy_s() -> float:
    """Seconds that the cores of this machine have computed since it started, added up."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def machine() -> dict[str, Any]:
    """Where the figures were seen. load_1m tells whether the machine was quiet, loop_s how fast it was on that day."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": f"{platform.python_version()} ({sys.base_prefix})",
        "loop_s": round(loop_s(), 2),
        "load_1m": round(os.getloadavg()[0], 2),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }


def loop_s(rounds: int = 10_000_000) -> float:
    """Processor seconds of a loop that only counts: Python and processor together, the best of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(rounds):
            pass
        times.append(time.process_time() - began)
    return min(times)
