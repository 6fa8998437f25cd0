"""Running text, one document a row: what pre-training reads."""

from workers.datasets.base import Format, Row, first_field, formats, identity, leftovers, text_of
from workers.words import marked as _

TEXT = ("text", "content", "document", "body", "正文", "内容", "文本")
ABOUT = {"id", "url", "source", "title", "date", "timestamp", "meta", "metadata", "lang", "language", "author", "name"}
"""Columns that describe a document; any other beside the text makes the row a table."""


def recognises(row: Row) -> bool:
    key = first_field(row, TEXT)
    return key is not None and isinstance(row[key], str) and {name.lower() for name in row if name != key} <= ABOUT


def normalise(row: Row) -> Row:
    key = first_field(row, TEXT)
    return {"id": identity(row), "text": text_of(row, TEXT), "extra": leftovers(row, key, "id")}


formats.add("text", Format(_("Text"), "text", "text", 70, recognises, normalise))
