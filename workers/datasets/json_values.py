"""Strict JSON: finite numbers only, any nesting survived, and lists of any length read element by element."""

import json
import re
from collections.abc import Iterator
from typing import Any

from workers.datasets.base import RAW_CHARS, ROW_CHARS, BadRow, Row, as_json

BLANK = re.compile(r"[\s,]*")
STRUCTURE = re.compile(r'["{}\[\]]')
SCALAR = re.compile(r"[^,\]\n]*")
FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\]|\\.)*")\s*:')
STRING_MARK = re.compile(r'["\\]')
EMBEDDED_LIST = re.compile(r'"(?:[^"\\]++|\\.){0,100}+"\s*+:\s*+(\[)\s*+\{')
"""A key and the list behind it. No more than 100 escapes in the key: a text full of them has a quote in each."""
BEHIND_CHARS = 1 << 14
"""How much of what is read already may stay: the library counts lines from the beginning for every error it reports."""


class Strict:
    """A JSON decoder that also notices numbers which are not finite."""

    def __init__(self) -> None:
        self.poison = ""
        self._decoder = json.JSONDecoder(parse_constant=self._constant, parse_float=self._float)

    def _constant(self, text: str) -> float:
        self.poison = text
        return 0.0

    def _float(self, text: str) -> float:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self.poison = text
        return value

    def decode(self, text: str, start: int = 0) -> tuple[Any, int]:
        """The value at `start` and where it ends. Raises ValueError or RecursionError; sets `poison`."""
        self.poison = ""
        return self._decoder.raw_decode(text, start)


def row_of(value: Any, poison: str, raw: str) -> Row | BadRow:
    """A decoded value as a row."""
    if poison:
        return BadRow("not_a_number", poison, raw)
    if not isinstance(value, dict):
        return BadRow("not_an_object", type(value).__name__, raw)
    return value


def decode_line(strict: Strict, line: str, number: int) -> Row | BadRow:
    """One line of JSONL. number: of the line, from 1, named when it is malformed."""
    start = len(line) - len(line.lstrip("\ufeff \t\r"))
    try:
        value, end = strict.decode(line, start)
    except RecursionError:
        return BadRow("too_deep", f"line {number}", line)
    except ValueError as error:
        return BadRow("bad_json", f"line {number}, {_place(error, 0)}", line)
    if line[end:].strip():
        return BadRow("bad_json", f"line {number}, column {end + 1}: text after the end", line)
    return row_of(value, strict.poison, line)


def _place(error: ValueError, start: int) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"column {error.pos - start + 1}: {error.msg}"
    return str(error)


class Values:
    """The elements of a list, or JSON values one after the other, from pieces of text and with bounded memory.

    An element that does not parse is cut where the next one seems to open, else where its brackets close.
    """

    def __init__(self, chunks: Iterator[str], limit: int = ROW_CHARS) -> None:
        self._chunks = chunks
        self._limit = limit
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False
        self._strict = Strict()
        self._opening: re.Pattern[str] | None = None
        self._reopens: int | None = None

    def rows(self) -> Iterator[Row | BadRow]:
        self._fill(1)
        self._at = len(self._text) - len(self._text.lstrip("\ufeff \t\r\n"))
        in_list = self._text.startswith("[", self._at)
        if in_list:
            self._at += 1
        else:
            inner, in_list = self._object_first()
            if inner is not None:
                yield from (row_of(value, "", as_json(value)[:RAW_CHARS]) for value in inner)
                return
        while self._next_element(in_list):
            yield self._element()
        if in_list and self._text[self._at + 1 :].strip():
            yield BadRow("bad_json", f"line {self._line}: text after the end of the list", self._text[self._at + 1 :])

    # --- what lies before the first row

    def _object_first(self) -> tuple[list[Any] | None, bool]:
        """A file that begins with an object: (rows, False) when it is one object around one list of rows; (None, True)
        when such an object is too large or broken, standing in its list; (None, False) when objects are the rows.
        """
        while not self._ended and len(self._text) <= self._limit:
            self._fill(len(self._text) + 1)
        try:
            value, end = self._strict.decode(self._text, self._at)
        except (ValueError, RecursionError):
            return None, self._skip_to_list()
        if not self._ended or self._text[end:].strip() or not isinstance(value, dict):
            return None, False
        lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
        if len(lists) != 1 or len(value) > 4 or "messages" in value or "conversations" in value:
            return None, False
        return (None, self._skip_to_list()) if self._strict.poison else (lists[0], False)

    def _skip_to_list(self) -> bool:
        """Move into the list of an object such as {"data": [ … ]}."""
        if match := EMBEDDED_LIST.search(self._text, self._at):
            self._at = match.end(1)
            return True
        return False

    # --- one element after the other

    def _fill(self, wanted: int) -> None:
        """Hold at least `wanted` characters from the present place on, or all there are."""
        parts = [self._text[self._at :]]
        self._line += self._text.count("\n", 0, self._at)
        self._at = 0
        size = len(parts[0])
        while size < wanted and not self._ended:
            piece = next(self._chunks, None)
            if piece is None:
                self._ended = True
            else:
                parts.append(piece)
                size += len(piece)
        self._text = "".join(parts)
        self._reopens = None

    def _next_element(self, in_list: bool) -> bool:
        """Stand at the first character of the next element; False when there is none."""
        while True:
            match = BLANK.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return not (in_list and self._text[self._at] == "]")
            if self._ended:
                return False
            self._fill(1)

    def _element(self) -> Row | BadRow:
        if self._at > BEHIND_CHARS:
            self._fill(0)
        wanted = 1 << 16
        while True:
            try:
                value, end = self._strict.decode(self._text, self._at)
                if end < len(self._text) or self._ended or isinstance(value, dict | list | str):
                    return self._good(value, end)
            except RecursionError:
                if self._hopeless(self._at):
                    return self._bad("too_deep")
            except ValueError as error:
                if self._hopeless(getattr(error, "pos", self._at)):
                    return self._bad("bad_json", _place(error, self._at))
            wanted = max(wanted, len(self._text) - self._at) * 2
            self._fill(min(wanted, self._limit + 1))

    def _good(self, value: Any, end: int) -> Row | BadRow:
        raw = self._text[self._at : min(end, self._at + RAW_CHARS)]
        size = end - self._at
        self._learn_opening()
        self._at = end
        return (
            BadRow("row_too_large", f"{size} > {self._limit}", raw)
            if size > self._limit
            else row_of(value, self._strict.poison, raw)
        )

    def _learn_opening(self) -> None:
        """Rows of one file mostly open with the same key: the first row's shows where others begin."""
        if self._opening is None and (match := FIRST_KEY.match(self._text, self._at)):
            self._opening = re.compile(r"\{\s*" + re.escape(match.group(1)) + r"\s*:")
            self._reopens = None

    def _hopeless(self, error_at: int) -> bool:
        """Whether more text cannot mend the element: there is none, or too much, or the next opens behind the error."""
        self._learn_opening()
        return self._ended or len(self._text) - self._at > self._limit or self._reopening() > error_at

    def _bad(self, reason: str, detail: str = "") -> BadRow:
        """Step over an element that does not parse."""
        place = f"line {self._line + self._text.count(chr(10), 0, self._at)}"
        raw = self._text[self._at : self._at + RAW_CHARS]
        size = self._step_over()
        if size > self._limit:
            return BadRow("row_too_large", f"{place}: {size} > {self._limit}", raw)
        return BadRow(reason, f"{place}, {detail}" if detail else place, raw)

    def _step_over(self) -> int:
        """Move behind the element that begins here, without holding it. Returns its length."""
        start = self._at
        if self._text[start] not in '{["':
            self._at = max(start + 1, SCALAR.match(self._text, start).end())  # type: ignore[union-attr]
            return self._at - start
        if end := self._reopening():
            self._at = end
            return end - start
        size, state = 0, State()
        while True:
            start = self._at
            end = closing(self._text, start, state)
            self._at = end or len(self._text)
            size += self._at - start
            if end or self._ended:
                return size
            self._fill(1)

    def _reopening(self) -> int:
        """Where the next element seems to open; 0 when that is not seen. Looked for once in every piece of text."""
        if self._opening is None:
            return 0
        if self._reopens is None or 0 < self._reopens <= self._at:
            match = self._opening.search(self._text, self._at + 1)
            self._reopens = match.start() if match else 0
        return self._reopens


class State:
    """Where a scan over several pieces of text stands."""

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self.escaped = False


def closing(text: str, start: int, state: State) -> int:
    """Where the brackets opened at `start` are closed again; 0 when that lies beyond this piece (state remembers)."""
    at = start
    while at < len(text):
        if state.in_string:
            at = _string_end(text, at, state)
            continue
        match = STRUCTURE.search(text, at)
        if match is None:
            break
        at = match.end()
        mark = match.group()
        if mark == '"':
            state.in_string = True
        elif mark in "{[":
            state.depth += 1
        else:
            state.depth -= 1
            if state.depth <= 0:
                return at if state.depth == 0 else max(at - 1, start + 1)
    return 0


def _string_end(text: str, at: int, state: State) -> int:
    """Move behind the end of a string, or to the end of the piece."""
    if state.escaped:
        state.escaped = False
        return at + 1
    mark = STRING_MARK.search(text, at)
    if mark is None:
        return len(text)
    if mark.group() == "\\":
        state.escaped = mark.end() >= len(text)
        return min(mark.end() + 1, len(text))
    state.in_string = False
    return mark.end()
