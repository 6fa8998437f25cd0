"""Events that people and webhooks are told of. An app adds one here in `AppConfig.ready`, and calls
`apps.core.services.emit` inside the transaction of the deed: nobody else has to know."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop as marked

from apps.core.errors import translate
from apps.core.models import Notification


@dataclass(frozen=True)
class Event:
    """label: what it is called in preferences. text: a marked text whose places the event's data fill. icon: of
    frontend/icons.json. marked: names of data that are marked texts themselves, such as the kind of a nameless job."""

    name: str
    label: str | Promise
    text: str
    icon: str
    marked: tuple[str, ...] = ()


_events: dict[str, Event] = {}


def register(name: str, label: str | Promise, text: str, icon: str, marked: tuple[str, ...] = ()) -> None:
    """name: `noun.verb`, as in the audit. Raises ValueError when it is there already."""
    if name in _events:
        raise ValueError(f"event {name!r} is registered twice")
    _events[name] = Event(name, label, text, icon, marked)


def get(name: str) -> Event:
    """One whose app is gone is shown by its name."""
    return _events.get(name) or Event(name, name, name, "info")


def names() -> list[str]:
    return sorted(_events)


def choices() -> list[tuple[str, str | Promise]]:
    return [(event.name, event.label) for event in _events.values()]


def text_of(event: str, data: dict[str, Any]) -> str:
    """In the reader's language."""
    found = get(event)
    return translate(found.text, data | {name: translate(str(data[name])) for name in found.marked if name in data})


def shown(row: Notification) -> dict[str, Any]:
    """What a page draws of a notification."""
    return {"row": row, "event": get(row.event), "text": text_of(row.event, row.data)}


OWN = (
    (
        "invitation.accepted",
        _("Somebody accepts your invitation"),
        marked("%(person)s has joined %(place)s."),
        "users",
    ),
    (
        "comment.mention",
        _("Somebody mentions you in a comment"),
        marked("%(person)s mentions you in a comment on %(thing)s."),
        "message-square-text",
    ),
    (
        "comment.create",
        _("Somebody answers where you have commented"),
        marked("%(person)s has commented on %(thing)s."),
        "message-square-text",
    ),
    (
        "artefact.share",
        _("Something is shared with a project you own"),
        marked("%(place)s shares %(thing)s with this project."),
        "share-2",
    ),
    (
        "artefact.unshare",
        _("Something is not shared any more with a project you own"),
        marked("%(place)s does not share %(thing)s with this project any more."),
        "share-2",
    ),
)
"""What core itself tells of: name, label, text, icon."""
