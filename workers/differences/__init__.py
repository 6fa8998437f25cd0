"""What differs between two runs of the same work: in their series, their results and the files they made.

Plain functions on numbers and open files; the web decides what to compare and what the answer means.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

Opener = Callable[[str], BinaryIO]
"""Opens a stored file by its SHA-256."""

TINY = 1e-9
"""Below this a difference is nothing: two zeros that came by different ways."""
MEASURED = ("_per_s", "_s", "_ms", "_mib", "_pct", "_bytes", "_w", "_c")
"""Ends of names whose values say how fast or how full the machine was; the same work gives others every time."""


@dataclass(frozen=True)
class Difference:
    """Where two things part. what: kind of place, such as `metric`, `row` or `tensor`. message: a marked text; data:
    what it says. within: no larger than the tolerance."""

    what: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)
    within: bool = False


def is_measured(name: str) -> bool:
    """True for what is measured on the machine rather than computed from the inputs."""
    return name.rpartition(".")[0] == "device" or name == "seconds" or name.endswith(MEASURED)


def apart(first: float, second: float) -> float:
    """How far two numbers are apart, relative to the larger; 0 when equal or both not a number."""
    if first == second or (math.isnan(first) and math.isnan(second)):
        return 0.0
    if not (math.isfinite(first) and math.isfinite(second)):
        return math.inf
    gap = abs(first - second)
    return 0.0 if gap <= TINY else gap / max(abs(first), abs(second))
