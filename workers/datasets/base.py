"""What a plug-in of this package must give: a container (how bytes become rows), a format (how a row becomes normal),
a cleaning step (what rows become of rows)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from workers.params import Params
from workers.registry import Registry
from workers.words import marked as _

if TYPE_CHECKING:
    from workers.datasets.reading import Head, Source

Row = dict[str, Any]
ROW_CHARS = 8 << 20
"""Largest row that is read, in characters; what is larger goes to the quarantine without being held in memory."""
RAW_CHARS = 2000
"""How much of a bad row the quarantine keeps."""

REASONS: dict[str, str] = {
    "bad_json": _("Malformed JSON"),
    "bad_encoding": _("Bytes that do not fit the encoding"),
    "bad_text": _("Half a character, which no text may hold"),
    "row_too_large": _("Row too large"),
    "too_deep": _("Nested too deeply"),
    "not_a_number": _("A number that is not finite (NaN or Infinity)"),
    "not_an_object": _("Not an object with named fields"),
    "wrong_fields": _("Not as many fields as the header"),
    "unclosed_quote": _("A quote that is never closed"),
    "missing_field": _("A field is missing"),
    "empty_field": _("A field is empty"),
    "wrong_type": _("A field holds the wrong kind of value"),
    "bad_role": _("An unknown speaker"),
    "no_answer": _("A conversation without an answer"),
    "bad_answer": _("The answer is none of the choices"),
    "same_pair": _("Chosen and rejected are the same"),
}
"""Why a row is in the quarantine: stable code → marked text. The detail beside it names field, line or size."""


class BadRow(Exception):
    """A row that cannot be used. reason: a key of REASONS; detail: the field, line or size; raw: the row as it came."""

    def __init__(self, reason: str, detail: str = "", raw: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = printable(detail[:500])[:500]
        self.raw = printable(raw[:RAW_CHARS])[:RAW_CHARS]


@dataclass(frozen=True)
class Container:
    """A kind of file. claims(head): 0 when it is certainly something else, higher when surer; rows(source): every row
    as a dict, or a BadRow in its place, in order, in bounded memory. binary: reads bytes, so it has no encoding.
    suffixes: of files that are likely this; bytes_per_s: how fast one core imports them."""

    label: str
    claims: Callable[["Head"], int]
    rows: Callable[["Source"], Iterator[Row | BadRow]]
    binary: bool = False
    suffixes: tuple[str, ...] = ()
    bytes_per_s: float = 3e6


@dataclass(frozen=True)
class Format:
    """A way to write training rows down. gives: the normal form (`messages`, `text`, `preference`, `choices`, `table`);
    needs: the fields in words; recognises(row): whether a raw row looks like it; normalise(row): the normal row, or
    raises BadRow. order: lower is asked first."""

    label: str
    gives: str
    needs: str
    order: int
    recognises: Callable[[Row], bool]
    normalise: Callable[[Row], Row]


containers: Registry[Container] = Registry("file type", "workers.datasets.containers")
formats: Registry[Format] = Registry("format", "workers.datasets.formats")

# --- what format plug-ins share


def first_field(row: Row, names: tuple[str, ...]) -> str | None:
    """The first of the names that the row has, whatever its capitals."""
    columns = tuple(row)
    return (_known if sum(map(len, columns)) < 2000 else _first)(columns, names)


def _first(columns: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    lowered = {column.strip().lower(): column for column in columns}
    return next((lowered[name] for name in names if name in lowered), None)


_known = lru_cache(maxsize=4096)(_first)
"""The rows of a file have few different sets of columns."""


def text_of(row: Row, names: tuple[str, ...], *, required: bool = True) -> str:
    """The text under the first of the names that the row has. Raises BadRow when it is missing, empty or no text."""
    key = first_field(row, names)
    if key is None or row[key] is None:
        if required:
            raise BadRow("missing_field" if key is None else "empty_field", key or names[0])
        return ""
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRow("wrong_type", f"{key}: {type(value).__name__}")
    text = str(value)
    if required and not text.strip():
        raise BadRow("empty_field", key)
    return text


def leftovers(row: Row, *used: str | None) -> str | None:
    """Fields that the normal form has no column for, as one JSON object; None when there are none."""
    rest = {key: value for key, value in row.items() if key not in used and value not in (None, "", [])}
    return as_json(rest) if rest else None


def printable(text: str) -> str:
    """The text with lone surrogates written out, so that it can be stored and shown."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def identity(row: Row) -> str | None:
    """The row's own `id`, as text."""
    key = first_field(row, ("id",))
    value = row[key] if key is not None else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


# --- cleaning


@dataclass(frozen=True)
class Drop:
    """A row is left out. reason: a key of the step's reasons; detail: the figure or the other row."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Cost:
    """What a step takes of one core, for estimates: microseconds a row, nanoseconds a character (chinese_ns where one
    of a Chinese text takes longer), and the bytes it remembers of a row. Source: docs/reference/performance.md."""

    row_us: float = 10
    character_ns: float = 50
    chinese_ns: float | None = None
    kept_bytes: float = 0


Verdict = Callable[[int, Row], Row | Drop]
"""What a step makes of one row, given with its number: the row itself when nothing changed, a new one, or a Drop."""


@dataclass(frozen=True)
class Step:
    """A cleaning step. build(params, form): the verdict for one pass over rows of that form, in order; it may remember
    what it has seen. reasons: why it drops rows, code → marked text. order: where the default recipe and the editor put
    it; default: whether the default recipe has it; cost: what it takes."""

    label: str
    help: str
    params: type[Params]
    build: Callable[[Any, str], Verdict]
    reasons: dict[str, str]
    order: int
    default: bool = False
    cost: Cost = Cost()


steps: Registry[Step] = Registry("cleaning step", "workers.datasets.steps")
