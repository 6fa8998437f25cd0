"""CSV and TSV, with or without a header; the separator is found by looking."""

import csv
import re
from collections import deque
from collections.abc import Iterator

from workers.datasets.base import ROW_CHARS, BadRow, Container, Row, containers
from workers.datasets.reading import Head, Source
from workers.words import marked as _

SUFFIXES = (".csv", ".tsv", ".tab")
SEPARATORS = ",\t;|"
LINES_IN_A_RECORD = 10_000
"""A quote still open after so many lines was never meant to be closed."""
NUMBER = re.compile(r"\s*[-+]?[\d.,]+%?\s*")
CHOICE_HEADER = ["question", "A", "B", "C", "D", "answer"]
"""MMLU's original files have no header: question, four choices, letter."""


def claims(head: Head) -> int:
    if head.suffix in SUFFIXES:
        return 82
    lines = head.lines(10)
    counts = {line.count(mark) for line in lines for mark in [separator(head)]}
    return 40 if len(lines) > 1 and len(counts) == 1 and counts != {0} else 0


def separator(head: Head) -> str:
    """The mark that splits the first lines into the most equal number of fields."""
    if head.suffix in (".tsv", ".tab"):
        return "\t"
    lines = head.lines(20)

    def evenness(mark: str) -> tuple[float, int]:
        counts = [len(next(csv.reader([line], delimiter=mark), [])) for line in lines if line.count('"') % 2 == 0]
        usual = max(set(counts), key=counts.count) if counts else 1
        return (0, 0) if usual < 2 else (counts.count(usual) / len(counts), -SEPARATORS.index(mark))

    return max(SEPARATORS, key=evenness)


def rows(source: Source) -> Iterator[Row | BadRow]:
    csv.field_size_limit(ROW_CHARS)
    mark = separator(source.head)
    header: list[str] | None = None
    for record in records(source.lines(), mark):
        if isinstance(record, BadRow):
            yield record
        elif header is None:
            header, is_row = header_of(record)
            if is_row:
                yield row_of(header, record)
        else:
            yield row_of(header, record)


def records(lines: Iterator[str | BadRow], mark: str) -> Iterator[list[str] | BadRow]:
    """Fields of one record after the other; a record goes on over several lines while a quote is open.

    A quote that is never closed costs its own line only: the lines behind it are read again as records of their own.
    """
    waiting: deque[str | BadRow] = deque()
    ended = False
    while True:
        held: list[str] = []
        size = quotes = 0
        while True:
            if not waiting and not ended:
                line = next(lines, None)
                ended = line is None
                if line is not None:
                    waiting.append(line.lstrip("\ufeff") if isinstance(line, str) else line)
            if not waiting or isinstance(waiting[0], BadRow):
                break
            line = waiting.popleft()
            held.append(str(line))
            size += len(held[-1])
            quotes += held[-1].count('"')
            if quotes % 2 == 0 or len(held) > LINES_IN_A_RECORD or size > ROW_CHARS:
                break
        if not held:
            if not waiting:
                return
            yield waiting.popleft()  # type: ignore[misc]
        elif quotes % 2 == 0:
            if held != [""]:
                yield fields(held, mark)
        else:
            waiting.extendleft(reversed(held[1:]))
            yield BadRow("unclosed_quote", "", held[0])


def fields(lines: list[str], mark: str) -> list[str] | BadRow:
    text = "\n".join(lines)
    try:
        found = list(csv.reader([line + "\n" for line in lines], delimiter=mark, strict=True))
    except csv.Error as error:
        return BadRow("wrong_fields", str(error), text)
    return found[0] if len(found) == 1 else BadRow("wrong_fields", "", text)


def header_of(record: list[str]) -> tuple[list[str], bool]:
    """Names for the columns, and whether the record is a row itself, since the file has no header."""
    names = [name.strip() for name in record]
    if len(names) == 6 and names[-1] in ("A", "B", "C", "D"):
        return CHOICE_HEADER, True
    unnamed = [index for index, name in enumerate(names) if not name]
    named = [name for name in names if name]
    looks_named = len(set(named)) == len(named) and len(unnamed) <= 1 and max(map(len, names)) <= 100
    if not looks_named or any(NUMBER.fullmatch(name) for name in named):
        return [f"column_{index + 1}" for index in range(len(names))], True
    return [name or "index" for name in names], False


def row_of(header: list[str], record: list[str]) -> Row | BadRow:
    if len(record) != len(header):
        return BadRow("wrong_fields", f"{len(record)} / {len(header)}", ",".join(record))
    return dict(zip(header, record, strict=True))


containers.add("csv", Container(_("CSV or TSV"), claims, rows, suffixes=SUFFIXES, bytes_per_s=3e6))
