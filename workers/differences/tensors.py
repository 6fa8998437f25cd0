"""Two safetensors files, tensor by tensor, without loading more than a block of either."""

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from workers.differences import Difference
from workers.errors import InvalidInput
from workers.words import marked as _

if TYPE_CHECKING:
    import numpy as np

HEADER_MAX = 100 << 20
BLOCK = 8 << 20
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Types of numbers, as numpy reads their bytes; it does not know BF16, the upper half of an F32."""


def compare_tensors(name: str, original: BinaryIO, repeated: BinaryIO, tolerance: float) -> Difference | None:
    """The first tensor that differs by more than the tolerance; else the one that differs most; None when all numbers
    are equal, whatever order or metadata the files have.

    A tensor's difference is the length of the difference over the length of the original, ‖a − b‖ / ‖a‖.
    Raises InvalidInput for files that are no safetensors.
    """
    one, other = _header(original), _header(repeated)
    if set(one) != set(other):
        missing = sorted({*one} ^ {*other})[0]
        return Difference(
            "tensor", _("%(file)s: only one of the two holds %(tensor)s."), {"file": name, "tensor": missing}
        )
    most: Difference | None = None
    largest = 0.0
    for tensor in sorted(one, key=lambda key: one[key]["data_offsets"]):
        gap = _gap(original, one[tensor], repeated, other[tensor])
        if gap <= largest:
            continue
        data = {"file": name, "tensor": tensor, "gap": gap if math.isfinite(gap) else None}
        most = Difference("tensor", _("%(file)s: %(tensor)s differs."), data, gap <= tolerance)
        largest = gap
        if gap > tolerance:
            return most
    return most


def _header(file: BinaryIO) -> dict[str, dict[str, Any]]:
    """Tensor name → {"dtype", "shape", "data_offsets"}, offsets counted from the start of the file."""
    size = int.from_bytes(file.read(8), "little")
    if not 0 < size <= HEADER_MAX:
        raise InvalidInput(_("This is not a safetensors file."))
    try:
        header = json.loads(file.read(size))
        del header["__metadata__"]
    except KeyError:
        pass
    except ValueError:
        raise InvalidInput(_("This is not a safetensors file.")) from None
    start = 8 + size
    for entry in header.values():
        begin, end = entry["data_offsets"]
        entry["data_offsets"] = (start + int(begin), start + int(end))
    return dict(header)


def _gap(original: BinaryIO, one: dict[str, Any], repeated: BinaryIO, other: dict[str, Any]) -> float:
    """‖a − b‖ / ‖a‖ in float64; infinite for tensors of another shape or type, or with other integers."""
    if (one["dtype"], one["shape"]) != (other["dtype"], other["shape"]):
        return math.inf
    difference = length = 0.0
    blocks = zip(_blocks(original, one["data_offsets"]), _blocks(repeated, other["data_offsets"]), strict=True)
    for left, right in blocks:
        if left != right and one["dtype"] not in FLOATS:
            return math.inf
        if one["dtype"] in FLOATS:
            a = _numbers(left, one["dtype"])
            length += float(a @ a)
            if left != right:
                step = a - _numbers(right, one["dtype"])
                difference += float(step @ step)
    if math.isnan(difference):
        return math.inf
    return math.sqrt(difference / length) if length else (math.inf if difference else 0.0)


def _blocks(file: BinaryIO, offsets: tuple[int, int]) -> Iterator[bytes]:
    begin, end = offsets
    while begin < end:
        file.seek(begin)
        block = file.read(min(BLOCK, end - begin))
        if not block:
            raise InvalidInput(_("This is not a safetensors file."))
        begin += len(block)
        yield block


def _numbers(block: bytes, dtype: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    import numpy as np

    raw: Any = np.frombuffer(block, FLOATS[dtype])
    if dtype == "BF16":
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    return raw.astype(np.float64)  # type: ignore[no-any-return]
