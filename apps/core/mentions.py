"""Who a text names with `@`: members by name or e-mail address. Whoever is not among the people given is plain text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from apps.core.models import User

Mention = tuple[int, int, UUID]
"""First character of the `@`, the character after the last of the name, and whom it names."""
Handle = tuple[int, str]
"""How many characters a name has, and the name without upper and lower case, which may have more of them (ß)."""
BEFORE = re.compile(r"[A-Za-z0-9._%+-]")
"""What makes an `@` part of an address rather than the start of a name."""
WORD = re.compile(r"[A-Za-z0-9_]")
LINK = re.compile(r"https?://[^\s<>\"'，。；、（）【】《》]+", re.IGNORECASE)
AFTER_LINK = ".,;:!?)]}"
"""Ends the sentence around a link rather than the link."""


def find(text: str, people: Iterable[User]) -> list[Mention]:
    """Every place that names somebody, in order; the longest name that fits wins, and all who bear it are meant."""
    handles: dict[Handle, list[UUID]] = {}
    for person in people:
        for name in {person.name, person.email} - {""}:
            bearers = handles.setdefault((len(name), name.casefold()), [])
            if person.pk not in bearers:
                bearers.append(person.pk)
    longest_first = sorted(handles, reverse=True)
    found: list[Mention] = []
    start = text.find("@")
    while start >= 0:
        handle = _named(text, start + 1, longest_first) if not (start and BEFORE.match(text[start - 1])) else None
        end = start + 1 + (handle[0] if handle else 0)
        found += [(start, end, person) for person in handles[handle]] if handle else []
        start = text.find("@", end)
    return found


def _named(text: str, at: int, handles: Iterable[Handle]) -> Handle | None:
    """The name that stands here as a whole word. Chinese puts no space behind one."""
    for handle in handles:
        length, name = handle
        end = at + length
        if end <= len(text) and text[at:end].casefold() == name:
            goes_on = WORD.match(name[-1]) and end < len(text) and WORD.match(text[end])
            if not goes_on:
                return handle
    return None


@dataclass(frozen=True)
class Part:
    """A piece of a comment: `text`, `link` or `mention`. The page escapes each, so nothing in it is markup."""

    kind: str
    text: str


def parts(text: str, mentions: Iterable[Iterable[object]]) -> list[Part]:
    """The text cut into what a page draws differently."""
    found, at = [], 0
    for start, end in sorted({(int(str(first)), int(str(last))) for first, last, _person in mentions}):
        found += [*_linked(text[at:start]), Part("mention", text[start:end])]
        at = end
    return [*found, *_linked(text[at:])]


def _linked(text: str) -> Iterator[Part]:
    at = 0
    for match in LINK.finditer(text):
        link = match[0].rstrip(AFTER_LINK)
        yield from _plain(text[at : match.start()])
        yield Part("link", link)
        at = match.start() + len(link)
    yield from _plain(text[at:])


def _plain(text: str) -> Iterator[Part]:
    if text:
        yield Part("text", text)
