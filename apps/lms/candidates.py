"""Who can answer in the playground: deployments, and what apps above add, such as versions of a prompt."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.functional import Promise

from apps.core.access import Actor
from apps.core.models import Project


@dataclass(frozen=True)
class Candidate:
    """value: what the page sends as `model`. label: what it shows. deployment: the name of the one that answers."""

    value: str
    label: str
    deployment: str = ""


@dataclass(frozen=True)
class Source:
    """Candidates whose value begins with `prefix:`; they bring their own system message. body: from a question to one
    of them to the request that its deployment is asked; raises NotFound for another project's."""

    prefix: str
    label: str | Promise
    candidates: Callable[[Actor, Project], Iterable[Candidate]]
    body: Callable[[Actor, Project, str, dict[str, Any]], dict[str, Any]]


_sources: dict[str, Source] = {}


def register(source: Source) -> None:
    if source.prefix in _sources:
        raise ValueError(f"candidates {source.prefix!r} are registered twice")
    _sources[source.prefix] = source


def groups(actor: Actor, project: Project) -> list[dict[str, Any]]:
    """[{"label", "options": [{"value", "label", "deployment"}], "own_system": True}] of every source that has any."""
    found: list[dict[str, Any]] = []
    for source in _sources.values():
        options = [asdict(row) for row in source.candidates(actor, project)]
        if options:
            found.append({"label": str(source.label), "options": options, "own_system": True})
    return found


def resolve(actor: Actor, project: Project, body: dict[str, Any]) -> dict[str, Any]:
    """The request for the gateway: a deployment's name stays as it is, a candidate becomes what it stands for."""
    prefix, colon, key = str(body.get("model") or "").partition(":")
    source = _sources.get(prefix) if colon else None
    return source.body(actor, project, key, body) if source else body
