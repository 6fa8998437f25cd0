"""Plain text: a row is a paragraph when blank lines separate them, else a line."""

from collections.abc import Iterator

from workers.datasets.base import ROW_CHARS, BadRow, Container, Row, containers
from workers.datasets.reading import Head, Source
from workers.words import marked as _

SUFFIXES = (".txt", ".md", ".text")
BLANK_SHARE = 0.1
"""From this share of blank lines on, they are taken as the ends of paragraphs."""


def claims(head: Head) -> int:
    return 60 if head.suffix in SUFFIXES else 10


def rows(source: Source) -> Iterator[Row | BadRow]:
    lines = source.head.text.split("\n")
    blank = sum(1 for line in lines if not line.strip())
    return (
        paragraphs(source.lines()) if blank > len(lines) * BLANK_SHARE and blank > 1 else single_lines(source.lines())
    )


def single_lines(lines: Iterator[str | BadRow]) -> Iterator[Row | BadRow]:
    for line in lines:
        if isinstance(line, BadRow):
            yield line
        elif line.strip("\ufeff \t"):
            yield {"text": line.lstrip("\ufeff")}


def paragraphs(lines: Iterator[str | BadRow]) -> Iterator[Row | BadRow]:
    held: list[str] = []
    size = 0
    for line in lines:
        if isinstance(line, BadRow) or not line.strip("\ufeff \t") or size + len(line) > ROW_CHARS:
            if held:
                yield {"text": "\n".join(held)}
            held, size = [], 0
        if isinstance(line, BadRow):
            yield line
        elif line.strip("\ufeff \t"):
            held.append(line.lstrip("\ufeff"))
            size += len(line)
    if held:
        yield {"text": "\n".join(held)}


containers.add("text", Container(_("Plain text"), claims, rows, suffixes=SUFFIXES, bytes_per_s=1.2e7))
