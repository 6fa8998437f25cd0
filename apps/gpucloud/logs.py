"""A log by windows: its end, what comes before or after a line, and the lines that hold some words. Never the whole."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from channels.db import database_sync_to_async
from django.db.models import Case, F, Q, TextField, Value, When
from django.utils import translation
from django.utils.translation import get_language

from apps.gpucloud import selectors, shown
from apps.gpucloud.models import Job, LogChunk

SCAN_CHUNKS = 32
"""Chunks that one search looks through (2 MiB of log); the next one goes on there."""
OWN_LINES = Q(text__regex=r'"level": "(?!output")')
"""Lines of AIFS itself, which readers see translated and with their data filled in: not as they are stored."""


@dataclass
class Window:
    """Lines in order. before, after: numbers to go on from in either direction, None where the log ends."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    before: int | None = None
    after: int | None = None


def read_after(job: Job, after: int, limit: int) -> Window:
    """Lines after a number. `after` stays None when there is no more for now."""
    lines = [shown.line(row) for row in selectors.read_lines(job, after, limit)]
    return _between(lines, lines[-1]["line"] if len(lines) == limit else None)


def read_before(job: Job, before: int, limit: int) -> Window:
    """The lines right before a number."""
    start = max(0, before - 1 - limit)
    lines = [shown.line(row) for row in selectors.read_lines(job, start, before - 1 - start)] if before > 1 else []
    return _between(lines, lines[-1]["line"] if lines else None)


def read_end(job: Job, limit: int) -> Window:
    return read_before(job, selectors.last_line(job) + 1, limit)


def _between(lines: list[dict[str, Any]], after: int | None) -> Window:
    return Window(lines, lines[0]["line"] if lines and lines[0]["line"] > 1 else None, after)


def search(job: Job, words: str, after: int, limit: int) -> Window:
    """Lines after a number that hold the words, in either case, as their reader sees them. Looks through SCAN_CHUNKS at
    most: `after` tells where to go on even when few or none were found, and is None at the end of the log."""
    wanted = words.lower()
    lines: list[dict[str, Any]] = []
    reached = after
    start = LogChunk.objects.filter(job=job, first_line__lte=after + 1).order_by("-first_line").values("first_line")[:1]
    first = start[0]["first_line"] if start else 1
    stored = json.dumps(words, ensure_ascii=False)[1:-1]
    filled = Q(text__contains='"data": {"')  # places in a text are filled when it is shown
    may_hold = Q(text__icontains=stored) | (filled if get_language() == "en" else OWN_LINES)
    chunks = LogChunk.objects.filter(job=job, first_line__gte=first).order_by("first_line")
    held = Case(When(may_hold, then=F("text")), default=Value(""), output_field=TextField())
    scanned = list(chunks.annotate(held=held).values_list("first_line", "lines", "held")[:SCAN_CHUNKS])
    for number, count, text in scanned:
        for row in _rows(number, text):
            if row["line"] <= after:
                continue
            line = shown.line(row)
            if wanted in line["message"].lower():
                lines.append(line)
                if len(lines) == limit:
                    return Window(lines, None, line["line"])
        reached = number + count - 1
    at_end = len(scanned) < SCAN_CHUNKS
    return Window(lines, None, None if at_end else reached)


def _rows(first: int, text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n")[:-1], first):
        yield {"line": number, **json.loads(line)}


async def whole(job: Job) -> AsyncIterator[bytes]:
    """The log as a text file, chunk by chunk: time, level, message."""
    read = database_sync_to_async(_text_from)
    language, line = get_language() or "en", 1
    while True:
        text, line = await read(job, line, language)
        if not text:
            return
        yield text


def _text_from(job: Job, line: int, language: str) -> tuple[bytes, int]:
    """The chunk that begins at a line, as text, and where the next one begins; empty at the end."""
    chunk = LogChunk.objects.filter(job=job, first_line__gte=line).order_by("first_line").first()
    if chunk is None:
        return b"", line
    with translation.override(language):
        rows = [(row, shown.line(row)["message"]) for row in _rows(chunk.first_line, chunk.text)]
    text = "".join(f"{row['t']:.3f} {row['level']} {message}\n" for row, message in rows)
    return text.encode(), chunk.first_line + chunk.lines
