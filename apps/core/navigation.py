"""What apps add to the frame: entries of the left rail, cards of the dashboard, providers of search.

Apps register in `AppConfig.ready`; core knows none of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise

from apps.core.access import Actor
from apps.core.models import Project


@dataclass(frozen=True)
class Entry:
    """A line of the left rail: an area of work, or a tool below them. `also`: other views that belong to it."""

    area: str
    label: str | Promise
    url_name: str
    icon: str
    order: int
    right: str
    tool: bool
    also: tuple[str, ...]

    def url(self, project: Project) -> str:
        return reverse(self.url_name, args=[project.slug])


@dataclass(frozen=True)
class Card:
    """A part of the dashboard: a template and what it is given as `card`. `context` gets (actor, project)."""

    name: str
    template: str
    context: Callable[[Actor, Project], dict[str, Any]]
    order: int


Found = tuple[str, str, str]
"""Label, address and kind of one search result."""
SearchProvider = Callable[[Actor, Project, str], Iterable[Found]]

_entries: list[Entry] = []
_cards: dict[str, Card] = {}
_providers: dict[str, SearchProvider] = {}


def register(
    *,
    area: str,
    label: str | Promise,
    url_name: str,
    icon: str,
    order: int,
    right: str = "view",
    tool: bool = False,
    also: tuple[str, ...] = (),
) -> None:
    """Add a line to the left rail; `tool` puts it under the areas (jobs, lineage, settings)."""
    if any(entry.url_name == url_name for entry in _entries):
        raise ValueError(f"{url_name!r} is in the navigation twice")
    _entries.append(Entry(area, label, url_name, icon, order, right, tool, also))
    _entries.sort(key=lambda entry: (entry.tool, entry.order))


def entries(actor: Actor, project: Project) -> list[Entry]:
    """What this actor may open, in order."""
    return [entry for entry in _entries if actor.may(entry.right, project)]


def register_card(name: str, *, template: str, context: Callable[[Actor, Project], dict[str, Any]], order: int) -> None:
    if name in _cards:
        raise ValueError(f"dashboard card {name!r} is registered twice")
    _cards[name] = Card(name, template, context, order)


def cards(actor: Actor, project: Project) -> list[dict[str, Any]]:
    """The dashboard's cards with their data: {"name", "template", "context"}."""
    ordered = sorted(_cards.values(), key=lambda card: card.order)
    return [{"name": card.name, "template": card.template, "context": card.context(actor, project)} for card in ordered]


def register_search(name: str, provider: SearchProvider) -> None:
    if name in _providers:
        raise ValueError(f"search provider {name!r} is registered twice")
    _providers[name] = provider


def search(actor: Actor, project: Project, query: str, limit: int = 8) -> list[Found]:
    """Up to `limit` results of every provider."""
    found: list[Found] = []
    for provider in _providers.values():
        found.extend(list(provider(actor, project, query))[:limit])
    return found
