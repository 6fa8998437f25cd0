"""Numbers from samples, and what machine they came from."""

import math
import os
import platform
import statistics
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

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


def machine() -> dict[str, Any]:
    """Where the figures were seen. load_1m tells whether the machine was quiet."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }
