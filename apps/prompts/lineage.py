"""Prompt versions and published services in lineage graphs: a version is answered by a deployment, a service offers a
version, and what users thought of its answers is part of the deployment's feedback."""

from collections.abc import Collection
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.lineage import ByType, Link, Node, Relation
from apps.core.models import Artefact
from apps.lms.lineage import feedback_id
from apps.lms.selectors import ratings_of
from apps.prompts.models import PromptService, PromptVersion


def newest(ids: list[UUID]) -> dict[UUID, Artefact]:
    """Version → the newest version of its prompt."""
    prompts = dict(PromptVersion.objects.filter(pk__in=ids).values_list("pk", "prompt_id"))
    rows = PromptVersion.objects.filter(prompt__in=set(prompts.values())).select_related("artefact")
    by_prompt = {row.prompt_id: row.artefact for row in rows.order_by("prompt", "-number").distinct("prompt")}
    return {id: by_prompt[prompt] for id, prompt in prompts.items()}


def nodes(ids: Collection[UUID]) -> list[Node]:
    return [
        Node(
            "prompt_service", row.pk, row.name, "", row.project,
            reverse("prompts:service_detail", args=[row.project.slug, row.name]),
            state="ready" if row.enabled else "stopped",
            state_label=str(_("Published") if row.enabled else _("Switched off")), created_at=row.created_at,
        )
        for row in PromptService.objects.filter(pk__in=ids).select_related("project")
    ]  # fmt: skip


def links(way: str, by_type: ByType) -> list[Link]:
    """deployment → version → service → feedback."""
    versions, services = by_type.get("prompt_version", ()), by_type.get("prompt_service", ())
    if way == "up":
        rated = _rated(version__deployment__in=[feedback_id(id) for id in by_type.get("feedback", ())])
        return [*_services(pk__in=services), *_answered(pk__in=versions), *rated]
    answered = _answered(deployment__in=by_type.get("deployment", ()))
    return [*_services(version__in=versions), *answered, *_rated(pk__in=services)]


def _services(**wanted: Collection[UUID]) -> list[Link]:
    if not all(wanted.values()):
        return []
    rows = PromptService.objects.filter(**wanted).values_list("version_id", "pk")
    return [Link(version, service, "version") for version, service in rows]


def _answered(**wanted: Collection[UUID]) -> list[Link]:
    if not all(wanted.values()):
        return []
    rows = PromptVersion.objects.filter(deployment__isnull=False, **wanted).values_list("deployment_id", "pk")
    return [Link(deployment, version, "deployment") for deployment, version in rows]


def _rated(**wanted: Collection[UUID]) -> list[Link]:
    """Services of which somebody rated an answer that their present deployment gave."""
    if not all(wanted.values()):
        return []
    rows = PromptService.objects.filter(**wanted).values_list("version__deployment", "name", "pk")
    services = {(deployment, f"prompt/{name}"): pk for deployment, name, pk in rows if deployment}
    rated = {(row.deployment, row.model) for row in ratings_of({deployment for deployment, _model in services})}
    return [Link(service, feedback_id(key[0]), "answers") for key, service in services.items() if key in rated]


SERVICES = Relation("prompt_service", _("prompt service"), "send", nodes, links, final=True)
