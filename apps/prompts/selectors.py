"""Reads of prompts. Every query starts from the actor's projects; somebody else's prompt is not found."""

import difflib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import yaml
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Artefact, Project
from apps.core.selectors import as_uuid, by_id_or_name, in_reach
from apps.lms.models import Deployment
from apps.prompts.models import Prompt, PromptService, PromptVersion


def list_prompts(actor: Actor) -> QuerySet[Prompt]:
    """Prompts of the actor's projects, with how many versions each has."""
    versions = PromptVersion.objects.filter(prompt=OuterRef("pk"))
    counted = versions.values("prompt").annotate(count=Count("pk")).values("count")
    return (
        Prompt.objects.filter(project__in=actor.projects())
        .select_related("project", "created_by")
        .annotate(
            version_count=Coalesce(Subquery(counted), 0),  # per row shown, not per row there
            newest=Subquery(versions.order_by("-number").values("number")[:1]),
        )
        .order_by("-updated_at", "-id")
    )


def list_versions(actor: Actor) -> QuerySet[PromptVersion]:
    return (
        PromptVersion.objects.filter(prompt__project__in=actor.projects())
        .select_related("prompt__project", "deployment", "created_by", "artefact")
        .order_by("-number")
    )


def list_services(actor: Actor) -> QuerySet[PromptService]:
    return (
        PromptService.objects.filter(project__in=actor.projects())
        .select_related("project", "version__prompt", "version__deployment", "created_by")
        .order_by("name")
    )


def get_prompt(actor: Actor, project: Project, ref: str | UUID) -> Prompt:
    """By id or name. Raises NotFound."""
    prompt = list_prompts(actor).filter(project=project).filter(by_id_or_name(ref)).first()
    if prompt is None:
        raise NotFound(_("This project has no prompt called “%(name)s”."), name=str(ref))
    return prompt


def get_version(prompt: Prompt, number: int | None = None) -> PromptVersion:
    """A version by number, or the newest. Raises NotFound."""
    versions = prompt.versions.select_related("deployment", "created_by", "artefact", "prompt__project").order_by(
        "-number"
    )
    version = (versions if number is None else versions.filter(number=number)).first()
    if version is None:
        raise NotFound(_("The prompt %(name)s has no such version."), name=prompt.name, version=number)
    return version


def get_readable(actor: Actor, project: Project, id: str) -> PromptVersion:
    """A version of the project or one that is shared with it. Raises NotFound."""
    actor.require("view", project)
    known = as_uuid(id)
    versions = PromptVersion.objects.select_related("prompt", "artefact").filter(in_reach(project, "artefact"))
    version = versions.filter(pk=known).first() if known else None
    if version is None:
        raise NotFound(_("There is no such prompt version, or you may not see it."))
    return version


def newest_version(prompt: Prompt) -> PromptVersion | None:
    """None for a prompt that was only just created."""
    return prompt.versions.select_related("deployment").order_by("-number").first()


def get_service(actor: Actor, project: Project, ref: str | UUID) -> PromptService:
    """By id or name. Raises NotFound."""
    service = list_services(actor).filter(project=project).filter(by_id_or_name(ref)).first()
    if service is None:
        raise NotFound(_("This project has no prompt service called “%(name)s”."), name=str(ref))
    return service


def get_published(name: str, project_id: str) -> PromptService:
    """The enabled service of a project, for the gateway. Raises NotFound, also for another project's service."""
    known = as_uuid(project_id)
    service = (
        PromptService.objects.select_related("version__deployment")
        .filter(name=name, project_id=known, enabled=True)
        .first()
        if known
        else None
    )
    if service is None:
        raise NotFound(_("There is no prompt service called “%(name)s”."), name=name)
    return service


def count_services(project: Project) -> int:
    return PromptService.objects.filter(project=project).count()


def list_deployments(project: Project) -> QuerySet[Deployment]:
    """Where a prompt may run."""
    return Deployment.objects.filter(project=project, wanted=True).order_by("name")


def find_deployment(project: Project, name: str) -> Deployment:
    """By name. Raises InvalidInput, since it is always somebody's input that names it."""
    deployment = Deployment.objects.filter(project=project, name=name).first()
    if deployment is None:
        raise InvalidInput(
            _("This project has no deployment called “%(name)s”."),
            name=name[:100],
            errors=[{"field": "deployment", "message": "unknown"}],
        )
    return deployment


def gateway_models() -> list[dict[str, Any]]:
    """Published prompts for the gateway's snapshot: each is one more model."""
    services = PromptService.objects.filter(enabled=True).select_related("version__deployment")
    return [
        {
            "name": f"prompt/{service.name}",
            "service": service.name,
            "project": str(service.project_id),
            "deployment": service.version.deployment.name if service.version.deployment else "",
            "created": int(service.created_at.timestamp()),
        }
        for service in services
    ]


# --- versions side by side


@dataclass(frozen=True)
class DiffLine:
    """kind: `same`, `added`, `removed` or `place` (where lines were left out)."""

    kind: str
    text: str


def content_of(version: PromptVersion) -> dict[str, Any]:
    """What a version holds: saved again, it gives the same."""
    return {
        "messages": version.messages,
        "variables": [
            {key: value for key, value in variable.items() if value not in (None, "", [], False) or key == "required"}
            for variable in version.variables
        ],
        "deployment": version.deployment.name if version.deployment else None,
        "settings": version.settings,
    }


def as_text(version: PromptVersion) -> str:
    """A version as the YAML that `aifs prompts push` reads."""
    text: str = yaml.safe_dump(content_of(version), allow_unicode=True, sort_keys=False, width=110)
    return text


def diff(old: PromptVersion, new: PromptVersion) -> list[DiffLine]:
    """What changed from one version to another, line by line."""
    kinds = {"+": "added", "-": "removed", " ": "same", "@": "place"}
    lines = list(difflib.unified_diff(as_text(old).splitlines(), as_text(new).splitlines(), lineterm="", n=4))
    return [DiffLine(kinds[line[0]], line if line[0] == "@" else line[1:]) for line in lines[2:]]


# --- artefact type and search


def find_version(project: Project, ref: str) -> Artefact | None:
    """The artefact of `name` (newest version) or `name:version`."""
    name, _colon, number = ref.partition(":")
    versions = PromptVersion.objects.filter(prompt__project=project, prompt__name=name).order_by("-number")
    if number:
        versions = versions.filter(number=number) if number.isdecimal() else versions.none()
    version = versions.select_related("artefact").first()
    return version.artefact if version else None


def version_url(artefact: Artefact) -> str:
    """By the artefact's own name (`name:number`, which never changes): a graph asks for many."""
    name, _colon, number = artefact.name.rpartition(":")
    return reverse("prompts:version_detail", args=[artefact.project.slug, name, number])


def search(actor: Actor, project: Project, query: str) -> list[tuple[str, str, str]]:
    """Prompts whose name or description holds the words, as (label, address, kind)."""
    found = list_prompts(actor).filter(project=project, name__icontains=query)[:8]
    return [
        (prompt.name, reverse("prompts:prompt_detail", args=[project.slug, prompt.name]), _("prompt"))
        for prompt in found
    ]
