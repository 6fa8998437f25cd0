"""JSON Lines: one object a line."""

import json
from collections.abc import Iterator

from workers.datasets.base import BadRow, Container, Row, containers
from workers.datasets.json_values import Strict, decode_line
from workers.datasets.reading import Head, Source
from workers.words import marked as _

SUFFIXES = (".jsonl", ".ndjson", ".jsonlines")


def claims(head: Head) -> int:
    if any(_is_object(line) for line in head.lines()):
        return 90
    return 85 if head.suffix in SUFFIXES else 0


def _is_object(line: str) -> bool:
    line = line.strip("\ufeff \t\r")
    if not (line.startswith("{") and line.endswith("}")):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def rows(source: Source) -> Iterator[Row | BadRow]:
    strict = Strict()
    for number, line in enumerate(source.lines(), 1):
        if isinstance(line, BadRow):
            yield line
        elif line.strip("\ufeff \t\r"):
            yield decode_line(strict, line, number)


containers.add("jsonl", Container(_("JSON Lines"), claims, rows, suffixes=SUFFIXES, bytes_per_s=1e7))
