"""A list as CSV: the rows that the address asks for, in its order, all of them, streamed."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone, translation
from django.utils.http import content_disposition_header

from apps.core.lists.paging import Place, beyond
from apps.core.lists.spec import List
from apps.core.models import Project
from apps.core.spreadsheets import guarded

CHUNK = 1_000
"""Rows of one query and of one piece of the answer."""
Present = Callable[[list[Any], Project], list[Any]]


def respond(spec: List, rows: QuerySet, order: str, project: Project) -> StreamingHttpResponse:
    name = spec.url_name.replace(":", "-").replace("_list", "s").replace("_", "-")
    headers = {
        "Content-Disposition": content_disposition_header(True, f"{project.slug}-{name}.csv") or "attachment",
        "Cache-Control": "private, no-store",
    }
    parts = lines(spec, rows, order, project, translation.get_language())
    return StreamingHttpResponse(_one_by_one(parts), content_type="text/csv; charset=utf-8", headers=headers)


def lines(spec: List, rows: QuerySet, order: str, project: Project, language: str | None) -> Iterator[bytes]:
    """Starts with the byte-order mark by which spreadsheets know UTF-8. Each piece asks for the rows after the last
    one, so that no cursor stays open while a slow reader reads."""
    columns = [column for column in spec.columns if column.value]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    with translation.override(language):
        writer.writerow([guarded(str(column.label)) for column in columns])
    place: Place | None = None
    while found := list(beyond(rows, order, place)[:CHUNK]):
        with translation.override(language):
            for row in spec.present(found, project):
                writer.writerow([_cell(column.value(row)) for column in columns if column.value])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
        place = _place(found[-1], order)
        if len(found) < CHUNK:
            break
    yield buffer.getvalue().encode()


def _place(row: Any, order: str) -> Place:
    value: Any = row
    for part in order.removeprefix("-").split("__"):
        value = getattr(value, part)
    return Place(value, row.pk)


def _cell(value: Any) -> Any:
    """A moment as ISO in the local time zone, as a spreadsheet reads it; nothing as an empty cell."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(sep=" ", timespec="seconds")
    return guarded(value if isinstance(value, str | int | float) else str(value))


async def _one_by_one(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """In the request's own thread, which has the database connection; a synchronous iterator would be read whole."""
    take = sync_to_async(lambda: next(parts, None))
    while (part := await take()) is not None:
        yield part
