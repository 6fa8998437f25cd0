"""A table: any columns, kept as they are."""

from workers.datasets.base import BadRow, Format, Row, as_json, formats
from workers.words import marked as _


def recognises(row: Row) -> bool:
    return bool(row)


def normalise(row: Row) -> Row:
    """Values that are lists or objects become JSON; a row without any value is refused."""
    if all(value is None or value == "" for value in row.values()):
        raise BadRow("empty_field", ", ".join(row)[:200])
    return {str(key): as_json(value) if isinstance(value, list | dict) else value for key, value in row.items()}


formats.add("table", Format(_("Table"), "table", "any columns", 90, recognises, normalise))
