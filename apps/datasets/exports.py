"""Rows of a version as a file to take away, streamed row group by row group."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_noop as _

from apps.core.errors import InvalidInput
from apps.core.spreadsheets import guarded
from apps.core.storage import storage
from apps.datasets import selectors
from apps.datasets.models import DatasetVersion

BLOCK = 1 << 20


def export_version(version: DatasetVersion, format: str) -> StreamingHttpResponse:
    """format: `jsonl`, `csv` or `parquet`. Raises InvalidInput for another."""
    if format not in FORMATS:
        raise InvalidInput(
            _("Rows are exported as %(known)s, not as “%(format)s”."), format=format[:40], known=", ".join(FORMATS)
        )
    content_type, write = FORMATS[format]
    filename = f"{version.dataset.name}-{version.number}.{format}"
    headers = {
        "Content-Disposition": content_disposition_header(True, filename) or "attachment",
        "Cache-Control": "private, no-store",
    }
    return StreamingHttpResponse(unhurried(write(version)), content_type=content_type, headers=headers)


async def unhurried(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Parts made in a thread one at a time: a synchronous iterator would be read whole into memory under ASGI."""
    take = sync_to_async(lambda: next(parts, None), thread_sensitive=False)
    while (part := await take()) is not None:
        yield part


def as_jsonl(version: DatasetVersion) -> Iterator[bytes]:
    for rows in row_groups(version):
        kept = ({name: value for name, value in row.items() if value is not None} for row in rows)
        yield "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in kept).encode()


def as_csv(version: DatasetVersion) -> Iterator[bytes]:
    """With a byte-order mark, which spreadsheets need to read UTF-8; lists and objects as JSON."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([guarded(name) for name in version.columns])
    for rows in row_groups(version):
        writer.writerows([guarded(row.get(name)) for name in version.columns] for row in rows)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def as_parquet(version: DatasetVersion) -> Iterator[bytes]:
    with storage().open(version.artefact.manifest["data.parquet"]["sha256"]) as file:
        while block := file.read(BLOCK):
            yield block


def row_groups(version: DatasetVersion) -> Iterator[list[dict[str, Any]]]:
    with selectors.parquet_file(version, "data") as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group).to_pylist()


FORMATS: dict[str, tuple[str, Callable[[DatasetVersion], Iterator[bytes]]]] = {
    "jsonl": ("application/jsonl", as_jsonl),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
}
