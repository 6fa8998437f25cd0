"""What a list is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise

from apps.core.access import Actor
from apps.core.models import Project

Text = str | Promise


@dataclass(frozen=True)
class Column:
    """A head of the table, and a column of the CSV.

    value: from a presented row; None leaves it out of the CSV. order: field or annotation that sorts by this column; it
    must never be null. head False: only in the CSV.
    """

    name: str
    label: Text
    value: Callable[[Any], Any] | None = None
    order: str = ""
    numeric: bool = False
    head: bool = True


@dataclass(frozen=True)
class Filter:
    """A choice above the list. choices: (value, label), or a function that makes them. apply: narrows the rows; by
    default to those whose field `name` is the value."""

    name: str
    label: Text
    every: Text
    choices: Sequence[tuple[str, Any]] | Callable[[], Sequence[tuple[str, Any]]]
    apply: Callable[[QuerySet[Any], str], QuerySet[Any]] | None = None

    def options(self) -> list[tuple[str, Any]]:
        return list(self.choices() if callable(self.choices) else self.choices)

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return self.apply(rows, value) if self.apply else rows.filter(**{self.name: value})


@dataclass(frozen=True)
class Empty:
    """What an empty list says, and the one click that helps. url: from the project."""

    icon: str
    title: Text
    text: Text
    action: Text = ""
    url: Callable[[Project], str] | None = None
    right: str = "view"


@dataclass(frozen=True)
class Bulk:
    """An action on chosen rows: a POST of `ids` to url_name, offered to who has the right. confirm: asked first;
    nothing for an action that changes nothing."""

    url_name: str
    label: Text
    icon: str
    right: str
    confirm: Text = ""


def _as_they_are(rows: list[Any], project: Project) -> list[Any]:
    return rows


@dataclass(frozen=True)
class List:
    """One list.

    rows: what the actor may see in the project, without order. present: from a page of rows to what the row template is
    given as `row`, one for one, in few queries. sort: name of the first column to sort by, with `-` for descending.
    search: fields that hold the words, or a function. right: who may open the page.
    """

    url_name: str
    label: Text
    icon: str
    rows: Callable[[Actor, Project], QuerySet[Any]]
    row_template: str
    columns: tuple[Column, ...]
    sort: str
    empty: Empty
    search: tuple[str, ...] | Callable[[QuerySet[Any], str], QuerySet[Any]] = ()
    placeholder: Text = ""
    filters: tuple[Filter, ...] = ()
    present: Callable[[list[Any], Project], list[Any]] = _as_they_are
    bulk: tuple[Bulk, ...] = ()
    right: str = "view"
    cards: bool = False
    """Rows are cards below each other, not lines of a table."""
    per_page: int = 30

    @property
    def has_search(self) -> bool:
        """For templates, which would call a search that is a function."""
        return bool(self.search)

    def order_of(self, name: str) -> str:
        """The field a column sorts by; empty when it does not sort."""
        return next((column.order for column in self.columns if column.name == name), "")


_lists: dict[str, List] = {}


def register(spec: List) -> List:
    if spec.url_name in _lists:
        raise ValueError(f"list {spec.url_name!r} is registered twice")
    if not spec.order_of(spec.sort.lstrip("-")):
        raise ValueError(f"list {spec.url_name!r} cannot be sorted by {spec.sort!r}")
    _lists[spec.url_name] = spec
    return spec


def get(url_name: str) -> List | None:
    return _lists.get(url_name)


def all_lists() -> list[List]:
    return list(_lists.values())
