"""What the command palette offers at once: places to go, jobs to start, projects to switch to.

Apps register providers in `AppConfig.ready`; artefacts are found by navigation's search providers instead.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core import dashboard, lists, navigation
from apps.core.access import Actor
from apps.core.models import Project

SCOPES = ("go", "start", "project")


@dataclass(frozen=True)
class Command:
    """A line of the palette. scope: its group, one of SCOPES. words: found by these, too, though they are not shown."""

    label: str
    url: str
    scope: str
    icon: str
    words: str = ""


CommandProvider = Callable[[Actor, Project], Iterable[Command]]
_providers: dict[str, CommandProvider] = {}


def register(name: str, provider: CommandProvider) -> None:
    if name in _providers:
        raise ValueError(f"command provider {name!r} is registered twice")
    _providers[name] = provider


def commands(actor: Actor, project: Project) -> list[dict[str, Any]]:
    """Every command this actor may use, an address only once in each scope, as JSON."""
    found: dict[tuple[str, str], Command] = {}
    for provider in _providers.values():
        for command in provider(actor, project):
            found.setdefault((command.scope, command.url), command)
    return [asdict(command) for command in found.values()]


def frame_commands(actor: Actor, project: Project) -> Iterable[Command]:
    """The rail, every list, the settings, the first steps of the dashboard, and the other projects."""
    slug = project.slug
    yield Command(_("Dashboard"), reverse("core:dashboard", args=[slug]), "go", "layout-dashboard")
    for entry in navigation.entries(actor, project):
        yield Command(str(entry.label), entry.url(project), "go", entry.icon, entry.area)
    for spec in lists.all_lists():
        if actor.may(spec.right, project):
            yield Command(str(spec.label), reverse(spec.url_name, args=[slug]), "go", spec.icon)
    if actor.may("manage", project):
        yield Command(_("Project settings"), reverse("core:settings_project", args=[slug]), "go", "settings")
    yield Command(_("Your account"), reverse("core:settings_profile"), "go", "user")
    for stage in dashboard.ordered():
        if actor.may(stage.right, project):
            yield Command(str(stage.todo), reverse(stage.start_url, args=[slug]), "start", stage.icon, stage.name)
    for other in (row.project for row in actor.memberships()):
        if other.pk != project.pk:
            yield Command(other.name, reverse("core:dashboard", args=[other.slug]), "project", "folder", other.slug)
    yield Command(_("New project"), reverse("core:project_create"), "project", "plus")
