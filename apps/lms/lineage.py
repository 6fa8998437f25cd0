"""Models and deployments in lineage graphs: a deployment stands on the version it offers now."""

from collections.abc import Collection
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.lineage import ByType, Link, Node, Relation
from apps.core.models import Artefact
from apps.lms.models import Deployment, ModelVersion
from apps.lms.selectors import state_of


def newest(ids: list[UUID]) -> dict[UUID, Artefact]:
    """Version → the newest version of its model."""
    models = dict(ModelVersion.objects.filter(pk__in=ids).values_list("pk", "model_id"))
    rows = ModelVersion.objects.filter(model__in=set(models.values())).select_related("artefact")
    by_model = {row.model_id: row.artefact for row in rows.order_by("model", "-number").distinct("model")}
    return {id: by_model[model] for id, model in models.items()}


def nodes(ids: Collection[UUID]) -> list[Node]:
    rows = Deployment.objects.filter(pk__in=ids).select_related("project").prefetch_related("instances__job")
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


DEPLOYMENTS = Relation("deployment", _("deployment"), "rocket", nodes, links)
