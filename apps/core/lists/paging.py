"""Keyset paging by any column: a page costs the same at the end as at the start, and new rows do not shift it."""

import base64
import json
import math
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

LAST = "last"


@dataclass(frozen=True)
class Place:
    """A row in an order: the value of the field and the id."""

    value: Any
    id: Any


@dataclass(frozen=True)
class Page:
    """Some rows in order. before, after: cursors of the pages beside it, empty where there is none."""

    rows: list[Any]
    before: str = ""
    after: str = ""


def turn(rows: QuerySet, order: str, size: int, *, before: str = "", after: str = "") -> Page:
    """One page of rows sorted by order (`-field` is descending) and id. before, after: a cursor of another page, `last`
    as before for the end of the list. A cursor that fits no row of this order shows the first page."""
    for backwards, cursor in ((False, after), (True, before)):
        place = None if cursor == LAST else decode(cursor)
        if place is None and not (backwards and cursor == LAST):
            continue
        try:
            found = list(beyond(rows, order, place, backwards)[: size + 1])
        except (ValueError, TypeError, ValidationError):
            continue
        return _page(found, order, size, backwards, at_end=place is None)
    return _page(list(beyond(rows, order, None)[: size + 1]), order, size, False, at_end=True)


def _page(found: list[Any], order: str, size: int, backwards: bool, at_end: bool) -> Page:
    more, shown = len(found) > size, found[:size]
    if backwards:
        shown.reverse()
    if not shown:
        return Page([])
    first, last = encode(shown[0], order), encode(shown[-1], order)
    if backwards:
        return Page(shown, first if more else "", "" if at_end else last)
    return Page(shown, "" if at_end else first, last if more else "")


def beyond(rows: QuerySet, order: str, place: Place | None, backwards: bool = False) -> QuerySet:
    """Rows after a place (or before it, nearest first), sorted. `field <= value` beside the exact condition lets an
    index begin at the place."""
    descending, name = order.startswith("-"), order.removeprefix("-")
    down = descending != backwards
    sign = "-" if down else ""
    less = "lt" if down else "gt"
    if place is not None:
        if name in {"id", "pk"}:
            rows = rows.filter(**{f"pk__{less}": place.id})
        else:
            exact = Q(**{f"{name}__{less}": place.value}) | Q(**{name: place.value, f"pk__{less}": place.id})
            rows = rows.filter(exact, **{f"{name}__{less}e": place.value})
    return rows.order_by(f"{sign}pk") if name in {"id", "pk"} else rows.order_by(f"{sign}{name}", f"{sign}pk")


def encode(row: Any, order: str) -> str:
    """A cursor that stands for a row."""
    value: Any = row
    for part in order.removeprefix("-").split("__"):
        value = getattr(value, part)
    if isinstance(value, date):
        value = value.isoformat()
    elif isinstance(value, UUID):
        value = str(value)
    text = json.dumps([value, str(row.pk)], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> Place | None:
    """None for what is no cursor; people edit addresses."""
    if not cursor or len(cursor) > 2_000:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        value, id = found
        UUID(id)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    number = isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1 << 62
    return Place(value, id) if number or (isinstance(value, str) and "\0" not in value) else None
