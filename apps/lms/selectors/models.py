"""The model store: models, and versions that a project may use."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Count, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Artefact, Project
from apps.core.selectors import by_id_or_name, find_artefact, in_reach, shared_ids
from apps.lms.models import Model, ModelVersion


def list_models(actor: Actor) -> QuerySet[Model]:
    """Models of the actor's projects, with how many versions each has."""
    models = Model.objects.filter(project__in=actor.projects())
    return _counted(models, ModelVersion.objects.all()).order_by("-id")


def _counted(models: QuerySet[Model], versions: QuerySet[ModelVersion]) -> QuerySet[Model]:
    """With `version_count` and `newest`, of these versions."""
    versions = versions.filter(model=OuterRef("pk"))
    counted = versions.values("model").annotate(count=Count("pk")).values("count")
    return models.select_related(
        "project", "created_by"
    ).annotate(
        version_count=Coalesce(Subquery(counted), 0),  # per row shown, not per row there
        newest=Subquery(versions.order_by("-number").values("number")[:1]),
    )


def list_with_shared(actor: Actor, project: Project) -> QuerySet[Model]:
    """The project's models, and those of which a version is shared with it (`is_shared`), as if they had no other."""
    actor.require("view", project)
    shared = shared_ids([project])
    if not shared:
        own = _counted(Model.objects.filter(project=project), ModelVersion.objects.all())
        return own.annotate(is_shared=Value(False))
    seen = ModelVersion.objects.filter(Q(model__project=project) | Q(pk__in=shared))
    others = list(seen.exclude(model__project=project).values_list("model", flat=True))
    models = _counted(Model.objects.filter(Q(project=project) | Q(pk__in=others)), seen)
    return models.annotate(is_shared=ExpressionWrapper(~Q(project=project), BooleanField()))


def newest_versions(models: Iterable[Any], project: Project) -> list[dict[str, Any]]:
    """[{"model", "version"}] with the version that `newest` of each model names, None when it has none."""
    rows = list(models)
    versions = ModelVersion.objects.filter(model__in=rows, number__in={row.newest for row in rows if row.newest})
    found = {(version.model_id, version.number): version for version in versions.select_related("artefact")}
    return [{"model": row, "version": found.get((row.pk, row.newest))} for row in rows]


def get_model(actor: Actor, project: Project, ref: str | UUID) -> Model:
    """By id or name. Raises NotFound."""
    model = list_models(actor).filter(project=project).filter(by_id_or_name(ref)).first()
    if model is None:
        raise NotFound(_("This project has no model called “%(name)s”."), name=str(ref))
    return model


def list_versions(actor: Actor) -> QuerySet[ModelVersion]:
    return (
        ModelVersion.objects.filter(model__project__in=actor.projects())
        .select_related("model__project", "artefact", "base__model")
        .order_by("-pk")
    )


def get_version(actor: Actor, project: Project, ref: str | UUID) -> ModelVersion:
    """One the project may use, its own or shared with it: by id, `name` (newest) or `name:number`. Raises NotFound."""
    actor.require("view", project)
    try:
        artefact = find_artefact(project, "model_version", ref)
        return ModelVersion.objects.select_related("model__project", "artefact", "base__model").get(pk=artefact.pk)
    except (NotFound, ModelVersion.DoesNotExist):
        raise NotFound(_("This project has no model called “%(name)s”."), name=str(ref)) from None


def list_usable(project: Project) -> QuerySet[ModelVersion]:
    """Versions that can be deployed in a project, its own and those shared with it, newest first."""
    versions = ModelVersion.objects.filter(in_reach(project, "artefact")).exclude(format="adapter")
    return versions.select_related("model__project").order_by("-pk")


def model_facts(artefact: Artefact) -> dict[str, Any]:
    """What an estimate rests on: what was read of its files, and how many parameters it has."""
    return {**artefact.meta, "parameters": ModelVersion.objects.get(pk=artefact.pk).parameters}


def find_version(project: Project, ref: str) -> Artefact | None:
    """The artefact of `name` (newest version) or `name:number`."""
    name, colon, number = ref.rpartition(":")
    named = Q(model__name=name, number=int(number)) if colon and number.isdecimal() and len(number) < 10 else None
    versions = ModelVersion.objects.filter(model__project=project).select_related("artefact").order_by("-number")
    version = (versions.filter(named).first() if named else None) or versions.filter(model__name=ref).first()
    return version.artefact if version else None


def version_url(artefact: Artefact) -> str:
    """By the artefact's own name (`name:number`, which never changes): a graph asks for many."""
    name, _colon, number = artefact.name.rpartition(":")
    return reverse("lms:version_detail", args=[artefact.project.slug, name, number])
