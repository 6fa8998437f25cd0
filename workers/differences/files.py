"""Two trees of stored files: which file differs first, and where in it."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, BinaryIO

from workers.differences import Difference, Opener
from workers.differences.tensors import compare_tensors
from workers.differences.values import SHOWN, differing
from workers.errors import AifsError
from workers.words import marked as _

Manifest = dict[str, dict[str, Any]]
READ_MAX = 4 << 30
"""Files larger than this are told apart by their hashes only."""
LINE_MAX = 64 << 20
BLOCK = 1 << 20


def compare_trees(
    original: Manifest, repeated: Manifest, open: Opener, tolerance: float, weights: float
) -> list[Difference]:
    """What differs, file by file in the order of their names; an empty list when every byte is equal.

    A file whose bytes differ and whose content does not is told with `within` set. weights: tolerance for tensors.
    """
    found = []
    for name in sorted({*original, *repeated}):
        one, other = original.get(name), repeated.get(name)
        if one is None or other is None:
            text = _("%(file)s is missing in the reproduction.") if one else _("%(file)s is only in the reproduction.")
            found.append(Difference("file", text, {"file": name}))
        elif one["sha256"] != other["sha256"]:
            found.append(_compare(name, one, other, open, tolerance, weights))
    return found


def _compare(
    name: str, one: dict[str, Any], other: dict[str, Any], open: Opener, tolerance: float, weights: float
) -> Difference:
    """Never None: the bytes are known to differ."""
    if max(one["size"], other["size"]) > READ_MAX:
        return Difference("file", _("%(file)s differs; it is too large to look into."), {"file": name})
    try:
        with open(one["sha256"]) as original, open(other["sha256"]) as repeated:
            if name.endswith(".parquet"):
                found = _rows(name, original, repeated, tolerance)
            elif name.endswith(".safetensors"):
                found = compare_tensors(name, original, repeated, weights)
            elif name.endswith(".jsonl"):
                found = _lines(name, original, repeated, tolerance)
            elif name.endswith(".json"):
                found = _json(name, original, repeated, tolerance)
            else:
                found = _bytes(name, original, repeated)
    except (AifsError, ValueError, OSError) as error:
        return Difference(
            "file", _("%(file)s differs, and cannot be read: %(error)s"), {"file": name, "error": str(error)[:SHOWN]}
        )
    if found is None:
        text = _("%(file)s holds the same, only written in another way.")
        return Difference("file", text, {"file": name}, within=True)
    return found


def _rows(name: str, original: BinaryIO, repeated: BinaryIO, tolerance: float) -> Difference | None:
    """The first row that differs, counted from 1, and the column."""
    return _pairs("row", name, _table(original), _table(repeated), tolerance)


def _table(file: BinaryIO) -> Iterator[Any]:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as table:
        for batch in table.iter_batches(1000):
            yield from batch.to_pylist()


def _lines(name: str, original: BinaryIO, repeated: BinaryIO, tolerance: float) -> Difference | None:
    return _pairs("line", name, _values(original), _values(repeated), tolerance)


def _values(file: BinaryIO) -> Iterator[Any]:
    while line := file.readline(LINE_MAX):
        yield json.loads(line)


TEXTS = {
    "row": (
        _("%(file)s: row %(row)s, %(place)s: %(original)s became %(repeated)s."),
        _("%(file)s: row %(row)s is in one of the two only."),
    ),
    "line": (
        _("%(file)s: line %(row)s, %(place)s: %(original)s became %(repeated)s."),
        _("%(file)s: line %(row)s is in one of the two only."),
    ),
}
"""What stands in a line or row → texts for one that differs and for one that is missing."""


def _pairs(
    what: str, name: str, original: Iterator[Any], repeated: Iterator[Any], tolerance: float
) -> Difference | None:
    """The first beyond the tolerance, else the first at all."""
    changed, missing = TEXTS[what]
    noise: Difference | None = None
    end = object()
    for number, (one, other) in enumerate(zip_longest(original, repeated, fillvalue=end), 1):
        if one is end or other is end:
            return Difference(what, missing, {"file": name, "row": number})
        for place, left, right, within in differing(one, other, tolerance):
            data = {"file": name, "row": number, "place": place, "original": left, "repeated": right}
            difference = Difference(what, changed, data, within)
            if not within:
                return difference
            noise = noise or difference
    return noise


def _json(name: str, original: BinaryIO, repeated: BinaryIO, tolerance: float) -> Difference | None:
    noise: Difference | None = None
    for place, left, right, within in differing(json.load(original), json.load(repeated), tolerance):
        data = {"file": name, "place": place, "original": left, "repeated": right}
        difference = Difference("value", _("%(file)s, %(place)s: %(original)s became %(repeated)s."), data, within)
        if not within:
            return difference
        noise = noise or difference
    return noise


def _bytes(name: str, original: BinaryIO, repeated: BinaryIO) -> Difference:
    at = 0
    while True:
        one, other = original.read(BLOCK), repeated.read(BLOCK)
        if one != other or not one:
            same = next((i for i, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), None)
            at += min(len(one), len(other)) if same is None else same
            return Difference("byte", _("%(file)s differs from byte %(byte)s on."), {"file": name, "byte": at + 1})
        at += len(one)
