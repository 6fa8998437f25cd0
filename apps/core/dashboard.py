"""The way from data to a published service, stage by stage: what apps tell the dashboard about it.

Apps register their stages in `AppConfig.ready`; core knows none of them. One picture and one checklist come of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise

from apps.core import artefact_types
from apps.core.access import Actor
from apps.core.models import Project

Counts = dict[str, dict[str, int]]
"""Kind of job → state → how many: jobs that have not ended, and those that failed lately (state `failed`)."""


@dataclass(frozen=True)
class Stage:
    """One stage. label: what it holds (“Datasets”); todo: what to do first (“Import data”); text: its consequence;
    kinds: the jobs that do its work; count: how many things it holds; sample_url: a POST that begins with samples."""

    name: str
    label: str | Promise
    todo: str | Promise
    text: str | Promise
    icon: str
    order: int
    list_url: str
    start_url: str
    right: str
    kinds: tuple[str, ...]
    count: Callable[[Project], int]
    sample_url: str = ""


_stages: dict[str, Stage] = {}
_activity: list[Callable[[Project], Counts]] = []


@dataclass(frozen=True)
class Concern:
    """Something that needs a look: what it is, why, and where to see to it. state: as badges show it."""

    title: str
    text: str
    url: str
    state: str


_concerns: dict[str, Callable[[Actor, Project], Iterable[Concern]]] = {}


def register_concerns(name: str, provider: Callable[[Actor, Project], Iterable[Concern]]) -> None:
    if name in _concerns:
        raise ValueError(f"concerns {name!r} are registered twice")
    _concerns[name] = provider


def concerns(actor: Actor, project: Project, limit: int = 8) -> dict[str, Any]:
    """What needs a look in a project, at most so many: {"rows", "more"}."""
    found = [concern for provider in _concerns.values() for concern in provider(actor, project)]
    return {"rows": found[:limit], "more": max(0, len(found) - limit)}


@dataclass(frozen=True)
class Figure:
    """A number of this month: what was used, in its unit. hint: of what it is made; url: where it is broken down."""

    label: str
    value: str
    unit: str = ""
    hint: str = ""
    url: str = ""


_figures: dict[str, Callable[[Actor, Project, datetime], Iterable[Figure]]] = {}


def register_figures(name: str, provider: Callable[[Actor, Project, datetime], Iterable[Figure]]) -> None:
    """provider(actor, project, since) tells what was used since the month began."""
    if name in _figures:
        raise ValueError(f"figures {name!r} are registered twice")
    _figures[name] = provider


def this_month(actor: Actor, project: Project) -> dict[str, Any]:
    """What the project has used since the first of the month: {"since", "figures"}."""
    since = timezone.localtime().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return {
        "since": since,
        "figures": [row for provider in _figures.values() for row in provider(actor, project, since)],
    }


def lately(actor: Actor, project: Project, limit: int = 5) -> dict[str, Any]:
    """The newest things of a project, each with its page: {"rows"}."""
    actor.require("view", project)
    made = project.artefacts.select_related("project").defer("manifest", "meta").order_by("-id")[:limit]
    return {
        "rows": [
            {
                "artefact": row,
                "label": artefact_types.label(row.type),
                "icon": known.icon if (known := artefact_types.get(row.type)) else "file-text",
                "url": artefact_types.url(row) or reverse("core:lineage_detail", args=[project.slug, row.type, row.pk]),
            }
            for row in made
        ]
    }


def register_stage(stage: Stage) -> None:
    if stage.name in _stages:
        raise ValueError(f"dashboard stage {stage.name!r} is registered twice")
    _stages[stage.name] = stage


def register_activity(provider: Callable[[Project], Counts]) -> None:
    """Whoever runs jobs says what runs and what failed."""
    _activity.append(provider)


def ordered() -> list[Stage]:
    return sorted(_stages.values(), key=lambda stage: stage.order)


def stages(actor: Actor, project: Project) -> list[dict[str, Any]]:
    """Every stage in order: {"stage", "url", "start_url", "sample_url", "count", "running", "failed", "next"}.

    `next` marks the first that is still empty; `start_url` is empty when the actor may not begin it.
    """
    activity = _activity_of(project)
    shown = []
    for stage in ordered():
        states = [activity.get(kind, {}) for kind in stage.kinds]
        failed = sum(counts.get("failed", 0) for counts in states)
        allowed = actor.may(stage.right, project)
        shown.append(
            {
                "stage": stage,
                "url": reverse(stage.list_url, args=[project.slug]),
                "start_url": reverse(stage.start_url, args=[project.slug]) if allowed else "",
                "sample_url": reverse(stage.sample_url, args=[project.slug]) if allowed and stage.sample_url else "",
                "count": stage.count(project),
                "running": sum(sum(counts.values()) for counts in states) - failed,
                "failed": failed,
                "next": False,
            }
        )
    for line in shown:
        if not line["count"]:
            line["next"] = True
            break
    return shown


def _activity_of(project: Project) -> Counts:
    merged: Counts = {}
    for provider in _activity:
        merged.update(provider(project))
    return merged
