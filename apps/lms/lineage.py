"""Models, deployments and feedback in lineage graphs: a deployment stands on the version it offers now. What users
thought of its answers is one node with a count and a mean, not one for every click."""

from collections.abc import Collection
from uuid import UUID

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.core.lineage import ByType, Link, Node, Relation
from apps.core.models import Artefact
from apps.lms.models import Deployment, ModelVersion
from apps.lms.selectors import Ratings, ratings_of, state_of, with_instances

FEEDBACK_BITS = 0xFEEDBAC << 96
"""Feedback of a deployment is no row: its id is the deployment's with these bits turned."""


def newest(ids: list[UUID]) -> dict[UUID, Artefact]:
    """Version → the newest version of its model."""
    models = dict(ModelVersion.objects.filter(pk__in=ids).values_list("pk", "model_id"))
    rows = ModelVersion.objects.filter(model__in=set(models.values())).select_related("artefact")
    by_model = {row.model_id: row.artefact for row in rows.order_by("model", "-number").distinct("model")}
    return {id: by_model[model] for id, model in models.items()}


def nodes(ids: Collection[UUID]) -> list[Node]:
    rows = with_instances(Deployment.objects.filter(pk__in=ids).select_related("project"))
    return [_node(row) for row in rows]


def _node(row: Deployment) -> Node:
    state = state_of(row)
    address = reverse("lms:deployment_detail", args=[row.project.slug, row.name])
    return Node(
        "deployment", row.pk, row.name, "", row.project, address,
        state=state, state_label=str(state.label), created_at=row.created_at,
    )  # fmt: skip


def links(way: str, by_type: ByType) -> list[Link]:
    wanted = {"pk__in": by_type.get("deployment", ())} if way == "up" else {
        "model_version__in": by_type.get("model_version", ())
    }  # fmt: skip
    if not next(iter(wanted.values())):
        return []
    rows = Deployment.objects.filter(model_version__isnull=False, **wanted).values_list("model_version_id", "pk")
    return [Link(version, deployment, "model") for version, deployment in rows]


# --- feedback


def feedback_id(deployment: UUID) -> UUID:
    """Of the deployment's feedback; of such an id, the deployment's."""
    return UUID(int=deployment.int ^ FEEDBACK_BITS)


def feedback_nodes(ids: Collection[UUID]) -> list[Node]:
    """Of the deployments whose answers somebody rated."""
    by_deployment: dict[UUID, list[Ratings]] = {}
    for row in ratings_of([feedback_id(id) for id in ids]):
        by_deployment.setdefault(row.deployment, []).append(row)
    rows = Deployment.objects.filter(pk__in=by_deployment).select_related("project") if by_deployment else ()
    return [_feedback_node(row, by_deployment[row.pk]) for row in rows]


def _feedback_node(row: Deployment, ratings: list[Ratings]) -> Node:
    count = sum(part.count for part in ratings)
    mean = sum(part.mean * part.count for part in ratings) / count
    said = ngettext("%(count)d rating, %(mean)s on average", "%(count)d ratings, %(mean)s on average", count)
    return Node(
        "feedback", feedback_id(row.pk), row.name, "", row.project,
        reverse("lms:deployment_detail", args=[row.project.slug, row.name]),
        state="rated", state_label=said % {"count": count, "mean": number_format(round(mean, 2))},
        created_at=max(part.newest for part in ratings),
    )  # fmt: skip


def feedback_links(way: str, by_type: ByType) -> list[Link]:
    if way == "up":
        return [Link(feedback_id(id), id, "answers") for id in by_type.get("feedback", ())]
    return [
        Link(deployment, feedback_id(deployment), "answers")
        for deployment in {row.deployment for row in ratings_of(by_type.get("deployment", ()))}
    ]


DEPLOYMENTS = Relation("deployment", _("deployment"), "rocket", nodes, links)
FEEDBACK = Relation("feedback", _("feedback"), "message-square-text", feedback_nodes, feedback_links, final=True)
