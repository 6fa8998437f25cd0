"""Parquet."""

from collections.abc import Iterator

from workers.datasets.base import ROW_CHARS, BadRow, Container, Row, as_json, containers
from workers.datasets.reading import Head, Source
from workers.errors import InvalidInput
from workers.words import marked as _

BATCH_BYTES = 16 << 20


def claims(head: Head) -> int:
    return 100 if head.data.startswith(b"PAR1") else 0


def rows(source: Source) -> Iterator[Row | BadRow]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(source.path) as file:
            count = file.metadata.num_rows
            groups = [file.metadata.row_group(index).total_byte_size for index in range(file.metadata.num_row_groups)]
            batch_rows = max(1, min(1000, BATCH_BYTES * max(count, 1) // max(sum(groups), 1)))
            for batch in file.iter_batches(batch_size=batch_rows):
                for row in batch.to_pylist():
                    yield checked(row)
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidInput(
            _("The Parquet file %(file)s cannot be read: %(error)s."), file=source.filename, error=str(error)[:300]
        ) from None


def checked(row: Row) -> Row | BadRow:
    size = sum(len(value) for value in row.values() if isinstance(value, str | bytes))
    return BadRow("row_too_large", f"{size} > {ROW_CHARS}", as_json(row)[:2000]) if size > ROW_CHARS else row


containers.add("parquet", Container(_("Parquet"), claims, rows, binary=True, suffixes=(".parquet",), bytes_per_s=4e6))
