"""Events that people and webhooks are told of. An app adds one here in `AppConfig.ready`, and calls
`apps.core.services.emit` inside the transaction of the deed: nobody else has to know."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from apps.core.errors import translate
from apps.core.models import Notification


@dataclass(frozen=True)
class Event:
    """label: what it is called in preferences. text: a marked text whose places the event's data fill. icon: of
    frontend/icons.json."""

    name: str
    label: str | Promise
    text: str
    icon: str


_events: dict[str, Event] = {}


def register(name: str, label: str | Promise, text: str, icon: str) -> None:
    """name: `noun.verb`, as in the audit. Raises ValueError when it is there already."""
    if name in _events:
        raise ValueError(f"event {name!r} is registered twice")
    _events[name] = Event(name, label, text, icon)


def get(name: str) -> Event:
    """One whose app is gone is shown by its name."""
    return _events.get(name) or Event(name, name, name, "info")


def names() -> list[str]:
    return sorted(_events)


def choices() -> list[tuple[str, str | Promise]]:
    return [(event.name, event.label) for event in _events.values()]


def text_of(event: str, data: dict[str, Any]) -> str:
    """In the reader's language."""
    return translate(get(event).text, data)


def shown(row: Notification) -> dict[str, Any]:
    """What a page draws of a notification."""
    return {"row": row, "event": get(row.event), "text": text_of(row.event, row.data)}
