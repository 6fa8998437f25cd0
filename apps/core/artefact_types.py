"""The kinds of artefacts. An app registers its own in `AppConfig.ready`, so that inputs resolve, graphs link and search
finds them without core knowing any."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.functional import Promise

from apps.core.models import Artefact, Project


@dataclass(frozen=True)
class ArtefactType:
    """find: by `name` or `name:version` in a project. url: page of an artefact. meta: what a run may know about it.
    newest: id → the newest version of the same thing. final: nothing is made of it, so it is no dead end. first_url:
    name of the page, in a project, where the first one comes from."""

    name: str
    label: str | Promise
    find: Callable[[Project, str], Artefact | None]
    url: Callable[[Artefact], str]
    meta: Callable[[Artefact], dict[str, Any]]
    icon: str = "file-text"
    newest: Callable[[list[UUID]], dict[UUID, Artefact]] | None = None
    final: bool = False
    first_url: str = ""


_types: dict[str, ArtefactType] = {}


def register(
    type: str,
    *,
    label: str | Promise,
    find: Callable[[Project, str], Artefact | None],
    url: Callable[[Artefact], str],
    meta: Callable[[Artefact], dict[str, Any]] | None = None,
    icon: str = "file-text",
    newest: Callable[[list[UUID]], dict[UUID, Artefact]] | None = None,
    final: bool = False,
    first_url: str = "",
) -> None:
    if type in _types:
        raise ValueError(f"artefact type {type!r} is registered twice")
    _types[type] = ArtefactType(type, label, find, url, meta or stored_meta, icon, newest, final, first_url)


def stored_meta(artefact: Artefact) -> dict[str, Any]:
    return dict(artefact.meta)


def get(type: str) -> ArtefactType | None:
    """None for a type without a registered app: its artefacts are found by id only and have no page."""
    return _types.get(type)


def label(type: str) -> str:
    """In the reader's language."""
    known = _types.get(type)
    return str(known.label) if known else type.replace("_", " ")


def url(artefact: Artefact, project: Project | None = None) -> str:
    """Its page; seen from another project that it is shared with, the page that shows it and nothing around it."""
    known = _types.get(artefact.type)
    if project is not None and project.pk != artefact.project_id:
        return reverse("core:shared_detail", args=[project.slug, artefact.pk])
    return known.url(artefact) if known else ""


def first_url(type: str, project: Project) -> str:
    """Where a project gets its first one from; empty where no page brings one."""
    known = _types.get(type)
    return reverse(known.first_url, args=[project.slug]) if known and known.first_url else ""


@dataclass(frozen=True)
class Use:
    """What can be done with a shared artefact where it is shared: a button. right: what it needs in the project. url:
    from the project and the artefact; empty when this one cannot be used so."""

    label: str | Promise
    icon: str
    url: Callable[[Project, Artefact], str]
    right: str = "run_simple"


@dataclass(frozen=True)
class Shared:
    """How a type of artefact is shown where it is shared: facts about the version alone, as (label, text), and a longer
    text for what is best read whole. files: those that are the version itself; all of them unless given."""

    facts: Callable[[Artefact], Sequence[tuple[str | Promise, str]]]
    text: Callable[[Artefact], str] | None = None
    files: frozenset[str] | None = None


_shared: dict[str, Shared] = {}
_uses: dict[str, list[Use]] = {}


def register_shared(type: str, shared: Shared) -> None:
    """This type can be shared. Nothing that `facts` and `text` tell may be about anything but the version itself."""
    if type in _shared:
        raise ValueError(f"artefact type {type!r} is shared twice")
    _shared[type] = shared


def shared(type: str) -> Shared | None:
    """None for a type that cannot be shared."""
    return _shared.get(type)


def shared_files(artefact: Artefact) -> dict[str, Any]:
    """Of its manifest what others read, and what their jobs get: not what tells of the version before."""
    known = _shared.get(artefact.type)
    files = known.files if known else None
    return {path: entry for path, entry in artefact.manifest.items() if files is None or path in files}


def register_use(type: str, use: Use) -> None:
    """An app above offers what it can do with a shared artefact of a type."""
    _uses.setdefault(type, []).append(use)


def uses(artefact: Artefact, project: Project) -> list[tuple[Use, str]]:
    """Each with its address in the project."""
    found = [(use, use.url(project, artefact)) for use in _uses.get(artefact.type, ())]
    return [(use, address) for use, address in found if address]


def meta(artefact: Artefact) -> dict[str, Any]:
    known = _types.get(artefact.type)
    return known.meta(artefact) if known else stored_meta(artefact)


JobsDescriber = Callable[[Iterable[UUID]], dict[UUID, dict[str, Any]]]
_describe_jobs: list[JobsDescriber] = []


def register_jobs(describe: JobsDescriber) -> None:
    """Whoever runs jobs tells about those that made artefacts: id → {"name", "kind", "state", "url"}."""
    _describe_jobs.append(describe)


def jobs(ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """What is known about these jobs; one that is gone is left out."""
    wanted, found = set(ids), {}
    for describe in _describe_jobs if wanted else ():
        found.update(describe(wanted))
    return found


def names() -> list[str]:
    return sorted(_types)
