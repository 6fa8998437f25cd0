"""Two JSON values, such as results and lines of answers."""

from collections.abc import Iterator
from typing import Any

from workers.differences import apart, is_measured

SHOWN = 200


def differing(first: Any, second: Any, tolerance: float, path: str = "") -> Iterator[tuple[str, str, str, bool]]:
    """Each place at which two JSON values differ, in order: (path, one, other, whether within the tolerance).

    Versions of libraries (`…_version`) and what the machine decides (times, rates) are left out. Whole numbers and
    texts must be equal.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys([*first, *second]):
            if not is_measured(name) and not name.endswith("_version"):
                here = f"{path}.{name}" if path else name
                yield from differing(first.get(name), second.get(name), tolerance, here)
    elif isinstance(first, list) and isinstance(second, list):
        for index, (one, other) in enumerate(zip(first, second, strict=False)):
            yield from differing(one, other, tolerance, f"{path}[{index}]")
        if len(first) != len(second):
            yield f"{path}[{min(len(first), len(second))}]", f"{len(first)}", f"{len(second)}", False
    elif _is_number(first) and _is_number(second) and float in (type(first), type(second)):
        gap = apart(float(first), float(second))
        if gap:
            yield path, repr(first), repr(second), gap <= tolerance
    elif first != second or type(first) is not type(second):
        yield path, str(first)[:SHOWN], str(second)[:SHOWN], False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
