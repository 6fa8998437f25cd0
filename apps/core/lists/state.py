"""What the address says about a list: search, filters, order. Whatever it does not know is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict

from apps.core.lists.spec import List
from apps.core.selectors import as_uuid

QUERY_CHARACTERS = 200
WORDS = 8
"""More words than anybody types; each costs a condition."""


@dataclass(frozen=True)
class State:
    spec: List
    query: str = ""
    sort: str = ""
    filters: dict[str, str] = field(default_factory=dict)

    @property
    def narrowed(self) -> bool:
        return bool(self.query or self.filters)

    def params(self) -> dict[str, str]:
        """As the address holds them; what is as usual is left out."""
        sort = {} if self.sort == self.spec.sort else {"sort": self.sort}
        return ({"q": self.query} if self.query else {}) | self.filters | sort

    def encode(self, **more: str) -> str:
        return urlencode(self.params() | more)

    def sorted_by(self, name: str) -> str:
        """The address of this list sorted by a column; again turns it round. Numbers and times begin at the top."""
        column = next(column for column in self.spec.columns if column.name == name)
        large_first = column.numeric or column.order == "id" or column.order.endswith("_at")
        sort = f"-{name}" if self.sort == name or (large_first and self.sort != f"-{name}") else name
        return "?" + (State(self.spec, self.query, sort, self.filters).encode() or "all=1")


def read(spec: List, given: Mapping[str, str]) -> State:
    query = given.get("q", "").replace("\0", "").strip()[:QUERY_CHARACTERS]
    sort = given.get("sort", "")
    if not spec.order_of(sort.removeprefix("-")):
        sort = spec.sort
    filters = {}
    for choice in spec.filters:
        value = given.get(choice.name, "")
        if value and value in {str(option) for option, _label in choice.options()}:
            filters[choice.name] = value
    return State(spec, query if spec.search else "", sort, filters)


def narrow(rows: QuerySet, state: State) -> QuerySet:
    """The rows that the state asks for."""
    for choice in state.spec.filters:
        if choice.name in state.filters:
            rows = choice.narrow(rows, state.filters[choice.name])
    if not state.query:
        return rows
    if callable(state.spec.search):
        return state.spec.search(rows, state.query)
    known = as_uuid(state.query)
    if known:
        return rows.filter(pk=known)
    for word in state.query.split()[:WORDS]:
        some = Q()
        for name in state.spec.search:
            some |= Q(**{f"{name}__icontains": word})
        rows = rows.filter(some)
    return rows


def normal(spec: List, query: str) -> str:
    """A query string of this list as its own page writes it."""
    return read(spec, QueryDict(query[:2_000]).dict()).encode()  # type: ignore[arg-type]
