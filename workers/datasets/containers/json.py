"""JSON: a list of objects, an object that holds such a list, or objects one after the other."""

from collections.abc import Iterator

from workers.datasets.base import BadRow, Container, Row, containers
from workers.datasets.json_values import Values
from workers.datasets.reading import Head, Source
from workers.words import marked as _


def claims(head: Head) -> int:
    first = head.text.lstrip("\ufeff \t\r\n")[:1]
    if first == "[":
        return 95 if head.suffix == ".json" else 80
    if first == "{":
        return 80
    return 75 if head.suffix == ".json" else 0


def rows(source: Source) -> Iterator[Row | BadRow]:
    return Values(source.chunks()).rows()


containers.add("json", Container(_("JSON"), claims, rows, suffixes=(".json",), bytes_per_s=8e6))
