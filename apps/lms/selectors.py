"""Reads of lms. Every query starts from the actor's projects; somebody else's model or deployment is not found."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Any
from uuid import UUID

from django.db.models import (
    Avg,
    BooleanField,
    Count,
    ExpressionWrapper,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Artefact, Project
from apps.core.selectors import as_uuid, find_artefact, in_reach, shared_ids
from apps.gpucloud import costs
from apps.gpucloud.models import Job, JobState
from apps.lms.models import Deployment, DeploymentState, Evaluation, Feedback, Instance, Model, ModelVersion, Usage
from workers.kinds import Resources
from workers.lms.engines.base import runtimes

NOT_SHARED = _("“%(name)s” is not shared with this project any more.")


def count_evaluations(project: Project) -> int:
    return Evaluation.objects.filter(artefact__project=project).count()


def count_deployments(project: Project) -> int:
    """Those somebody wants to run."""
    return Deployment.objects.filter(project=project, wanted=True).count()


# --- the model store


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
    model = list_models(actor).filter(project=project).filter(_match(ref)).first()
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


# --- evaluations


def list_evaluations(actor: Actor) -> QuerySet[Evaluation]:
    return (
        Evaluation.objects.filter(artefact__project__in=actor.projects())
        .select_related("model_version__model", "artefact__project", "job")
        .order_by("-pk")
    )


def get_evaluation(actor: Actor, project: Project, id: str | UUID) -> Evaluation:
    known = as_uuid(id)
    found = list_evaluations(actor).filter(artefact__project=project, pk=known).first() if known else None
    if found is None:
        raise NotFound(_("There is no such evaluation."))
    return found


def held_out(evaluation: Evaluation) -> Artefact | None:
    """The dataset whose rows the loss was measured on."""
    row = evaluation.job.inputs.filter(name="dataset").select_related("artefact").first()
    return row.artefact if row and evaluation.loss is not None else None


def find_evaluation(project: Project, ref: str) -> Artefact | None:
    return Artefact.objects.filter(project=project, type="evaluation", name=ref).order_by("-id").first()


def evaluation_url(artefact: Artefact) -> str:
    return reverse("lms:evaluation_detail", args=[artefact.project.slug, artefact.pk])


@dataclass(frozen=True)
class Row:
    """One subject of one or two evaluations. change: second minus first, in accuracy."""

    subject: str
    first: dict[str, Any] | None
    second: dict[str, Any] | None

    @property
    def change(self) -> float | None:
        return self.second["acc"] - self.first["acc"] if self.first and self.second else None

    @property
    def significant(self) -> bool:
        """The change is larger than chance explains at 95 %: both standard errors combined."""
        if self.change is None or self.first is None or self.second is None:
            return False
        error = (self.first.get("acc_stderr") or 0) ** 2 + (self.second.get("acc_stderr") or 0) ** 2
        return abs(self.change) > 1.96 * error**0.5


def compare(first: Evaluation, second: Evaluation | None = None) -> list[Row]:
    """Subjects of one evaluation, or of two side by side."""
    others = second.scores if second else {}
    subjects = [*first.scores, *(subject for subject in others if subject not in first.scores)]
    return [Row(subject, first.scores.get(subject), others.get(subject)) for subject in subjects]


def compare_answers(first: Evaluation, second: Evaluation | None = None) -> list[dict[str, str]]:
    """[{"prompt", "first", "second"}]: greedy answers to the same prompts."""
    others = {row.get("prompt"): row.get("answer", "") for row in second.answers} if second else {}
    return [
        {"prompt": row.get("prompt", ""), "first": row.get("answer", ""), "second": others.get(row.get("prompt"), "")}
        for row in first.answers
    ]


def before_after(actor: Actor, version: ModelVersion) -> list[dict[str, Any]]:
    """For every suite that this version and the one it was made from were both measured on: the newest of each."""
    if version.base_id is None:
        return []
    here = list_evaluations(actor).filter(artefact__project=version.artefact.project_id)
    both = here.filter(model_version__in=[version.pk, version.base_id])
    newest: dict[str, dict[UUID, Evaluation]] = {}
    for evaluation in both:
        newest.setdefault(evaluation.suite, {}).setdefault(evaluation.model_version_id, evaluation)
    return [
        {"suite": suite, "before": found[version.base_id], "after": found[version.pk]}
        for suite, found in newest.items()
        if len(found) == 2
    ]


def evaluation_before(evaluation: Evaluation) -> Evaluation | None:
    """The newest one of the same project on the same suite of the version before, else of the one it was tuned from."""
    version = evaluation.model_version
    same = Evaluation.objects.filter(artefact__project=evaluation.artefact.project_id, suite=evaluation.suite)
    rows = same.select_related("model_version__model").order_by("-model_version__number", "-pk")
    earlier = rows.filter(model_version__model=version.model_id, model_version__number__lt=version.number).first()
    return earlier or rows.filter(model_version=version.base_id).first()


LOSS_MARGIN = 0.01
"""A held-out loss carries no error bar here; what is less than one in a hundred is not called worse."""


def is_worse(before: Evaluation, after: Evaluation) -> bool:
    """Some subject lost more accuracy than chance explains while the mean fell, or the held-out loss has grown."""
    lower = before.mean is not None and after.mean is not None and after.mean < before.mean
    if lower and any(row.significant and (row.change or 0) < 0 for row in compare(before, after)):
        return True
    return before.loss is not None and after.loss is not None and after.loss > before.loss * (1 + LOSS_MARGIN)


def comparable(evaluation: Evaluation, actor: Actor) -> QuerySet[Evaluation]:
    """Other evaluations of the project on the same suite."""
    same = list_evaluations(actor).filter(artefact__project=evaluation.artefact.project_id, suite=evaluation.suite)
    return same.exclude(pk=evaluation.pk)


# --- deployments


def list_deployments(actor: Actor) -> QuerySet[Deployment]:
    return (
        Deployment.objects.filter(project__in=actor.projects())
        .select_related("project", "model_version__model", "created_by")
        .prefetch_related("instances__job")
        .order_by("-pk")
    )


def get_deployment(actor: Actor, project: Project, ref: str | UUID) -> Deployment:
    """By id or name. Raises NotFound."""
    deployment = list_deployments(actor).filter(project=project).filter(_match(ref)).first()
    if deployment is None:
        raise NotFound(_("This project has no deployment called “%(name)s”."), name=str(ref))
    return deployment


def proposal(actor: Actor, project: Project, model: str) -> dict[str, Any]:
    """What a new deployment of a model version may be called: as the model, with a number when that is taken."""
    version = list_usable(project).filter(pk=as_uuid(model)).first() if as_uuid(model) else None
    if version is None:
        return {}
    taken = set(Deployment.objects.filter(project=project).values_list("name", flat=True))
    name = slugify(version.model.name)[:70] or "model"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return {"model": version.pk, "name": next(candidate for candidate in names if candidate not in taken)}


def live(deployment: Deployment) -> list[Instance]:
    """Instances that run or are about to."""
    return [row for row in deployment.instances.all() if row.stopped_at is None and row.job.state in Job.ACTIVE]


def is_ready(instance: Instance) -> bool:
    """It listens, and it is the newest attempt of its job that does."""
    job = instance.job
    return bool(instance.url) and job.state == JobState.RUNNING and instance.attempt == job.attempt_count


def routable(deployment: Deployment) -> list[Instance]:
    """Instances the gateway may send requests to; it asks for their health first."""
    return [row for row in live(deployment) if is_ready(row) and not row.job.cancel_requested_at]


def fits(instance: Instance, deployment: Deployment) -> bool:
    """It runs the model and the settings that are wanted now."""
    job = instance.job
    given = {name: value for name, value in deployment.runtime_params.items() if name != "resources"}
    resources = deployment.runtime_params.get("resources") or {}
    same = all(job.params.get(name) == value for name, value in given.items())
    same = same and all(job.resources.get(name) == value for name, value in resources.items())
    return (
        same
        and instance.model_version_id == deployment.model_version_id
        and job.params["runtime"] == deployment.runtime
    )


def failed_last(deployment: Deployment) -> bool:
    """Its newest instance ended in failure, and nothing about the deployment has changed since."""
    newest = max(deployment.instances.all(), key=lambda row: row.created_at, default=None)
    return bool(newest and newest.job.state == JobState.FAILED and fits(newest, deployment))


def state_of(deployment: Deployment) -> DeploymentState:
    """A deployment has no state of its own: its instances' jobs have."""
    if not deployment.wanted:
        return DeploymentState.STOPPED
    if deployment.external_url:
        return DeploymentState.READY
    ready = len(routable(deployment))
    if ready >= deployment.replicas and not failed_last(deployment):
        return DeploymentState.READY
    if ready:
        return DeploymentState.DEGRADED
    return DeploymentState.STARTING if live(deployment) else DeploymentState.FAILED


def reason_of(deployment: Deployment) -> dict[str, Any]:
    """Why it is not ready: what its newest instance's job says."""
    if state_of(deployment) in {DeploymentState.READY, DeploymentState.STOPPED}:
        return {}
    if _taken_back(deployment):
        return {"code": "not_shared", "message": NOT_SHARED, "data": {"name": str(deployment.model_version)}}
    newest = max(deployment.instances.all(), key=lambda row: row.created_at, default=None)
    return newest.job.reason if newest else {}


def _taken_back(deployment: Deployment) -> bool:
    """Its model is another project's and not shared any more."""
    version = deployment.model_version
    if version is None or version.model.project_id == deployment.project_id:
        return False
    return not ModelVersion.objects.filter(in_reach(deployment.project, "artefact"), pk=version.pk).exists()


def count_unready_deployments() -> int:
    """Over all projects: those that should answer and do not, or with fewer replicas than wanted."""
    wanted = Deployment.objects.filter(wanted=True).prefetch_related("instances__job")
    return sum(state_of(row) in {DeploymentState.FAILED, DeploymentState.DEGRADED} for row in wanted)


def runtime_of(deployment: Deployment) -> str:
    """The engine that really answers, once one does; before that what was asked for."""
    return next((row.runtime for row in routable(deployment) if row.runtime), deployment.runtime)


def runtime_label(name: str) -> str:
    """What people see in place of an engine's name."""
    labels = {"auto": _("Automatic")} | {known: runtime.label for known, runtime in runtimes.items()}
    return gettext(labels[name]) if name in labels else name


def describe(deployment: Deployment) -> dict[str, Any]:
    """What lists and clients see of a deployment."""
    return {
        "deployment": deployment,
        "name": deployment.name,
        "state": str(state_of(deployment)),
        "reason": reason_of(deployment),
        "runtime": runtime_of(deployment),
        "runtime_label": runtime_label(runtime_of(deployment)),
        "ready_replicas": deployment.replicas if deployment.external_url else len(routable(deployment)),
        "model": str(deployment.model_version) if deployment.model_version else deployment.external_url,
    }


def rates(deployments: Iterable[Deployment]) -> dict[str, dict[str, Any]]:
    """What an hour of one instance of each holds and costs: {name: as `Cost.as_dict`}. Endpoints elsewhere hold nothing
    here, and are left out."""
    held = {row.name: routable(row)[0].job.resources for row in deployments if routable(row)}
    return {name: costs.expected(Resources(**needs), costs.HOUR_S).as_dict() for name, needs in held.items()}


def instance_rows(deployment: Deployment, ended_shown: int = 3) -> list[dict[str, Any]]:
    """Live instances, and the last ones that ended."""
    rows = sorted(deployment.instances.all(), key=lambda row: row.created_at, reverse=True)
    alive = [row for row in rows if row.stopped_at is None]
    ended = [row for row in rows if row.stopped_at is not None][:ended_shown]
    return [
        {
            "instance": row,
            "job": row.job,
            "runtime_label": runtime_label(row.runtime),
            "state": "ready" if is_ready(row) and row in alive else str(row.job.state),
        }
        for row in [*alive, *ended]
    ]


def usage_of(deployment: Deployment, days: int = 1) -> dict[str, Any]:
    """Calls, tokens and times of the last days."""
    since = timezone.now() - timedelta(days=days)
    rows = Usage.objects.filter(deployment=deployment, at__gte=since)
    totals: dict[str, Any] = rows.aggregate(
        calls=Count("pk"),
        failed=Count("pk", filter=Q(status__gte=400)),
        prompt_tokens=Sum("prompt_tokens", default=0),
        cached_tokens=Sum("cached_tokens", default=0),
        completion_tokens=Sum("completion_tokens", default=0),
        ttft_ms=Avg("ttft_ms"),
        duration_ms=Avg("duration_ms"),
    )
    totals["success_pct"] = 100 * (totals["calls"] - totals["failed"]) / totals["calls"] if totals["calls"] else None
    prompt = totals["prompt_tokens"]
    totals["cached_pct"] = 100 * totals["cached_tokens"] / prompt if prompt else None
    return totals


@dataclass(frozen=True)
class Ratings:
    """What users thought of the answers of one deployment that were asked for under one name: the deployment's own, or
    a published prompt's."""

    deployment: UUID
    model: str
    count: int
    mean: float
    newest: datetime


def ratings_of(deployments: Collection[UUID]) -> list[Ratings]:
    """By deployment and name. No access check: for rows that somebody may see already."""
    if not deployments:
        return []
    answers = Usage.objects.filter(pk=OuterRef("response_id"), project=OuterRef("project"))
    rows = (
        Feedback.objects.filter(project__in=Deployment.objects.filter(pk__in=deployments).values("project"))
        .annotate(deployment=Subquery(answers.values("deployment")), model=Subquery(answers.values("model")))
        .filter(deployment__in=deployments)
        .values("deployment", "model")
        .annotate(count=Count("pk"), mean=Avg("score"), newest=Max("created_at"))
        .order_by("deployment", "model")
    )
    return [Ratings(**row) for row in rows]


# --- search


def search(actor: Actor, project: Project, query: str) -> list[tuple[str, str, str]]:
    """Models and deployments whose name holds the words, as (label, address, kind)."""
    models = list_models(actor).filter(project=project, name__icontains=query)[:6]
    deployments = list_deployments(actor).filter(project=project, name__icontains=query)[:6]
    found = [(row.name, reverse("lms:model_detail", args=[project.slug, row.name]), _("model")) for row in models]
    return found + [
        (row.name, reverse("lms:deployment_detail", args=[project.slug, row.name]), _("deployment"))
        for row in deployments
    ]


def _match(ref: str | UUID) -> Q:
    known = as_uuid(ref)
    return Q(pk=known) if known else Q(name=str(ref))
