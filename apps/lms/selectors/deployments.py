"""Deployments, and what state their instances' jobs put them in."""

from itertools import chain, count
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Prefetch, QuerySet, When, Window
from django.db.models.functions import RowNumber
from django.db.models.lookups import IsNull
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Project
from apps.core.selectors import as_uuid, by_id_or_name, in_reach
from apps.gpucloud.models import Job, JobState
from apps.lms.models import Deployment, DeploymentState, Instance, ModelVersion
from apps.lms.selectors.models import list_usable
from workers.lms.engines.base import runtimes

ENDED_SHOWN = 3
"""Instances of a deployment that have ended: so many of the newest are worth a look."""
NOT_SHARED = _("“%(name)s” is not shared with this project any more.")


def count_deployments(project: Project) -> int:
    """Those somebody wants to run."""
    return Deployment.objects.filter(project=project, wanted=True).count()


def list_deployments(actor: Actor) -> QuerySet[Deployment]:
    rows = Deployment.objects.filter(project__in=actor.projects()).order_by("-pk")
    return with_instances(rows.select_related("project", "model_version__model", "created_by"))


def with_instances(rows: QuerySet[Deployment]) -> QuerySet[Deployment]:
    """With all that the state follows from: instances that live, and the newest that ended; there may be hundreds."""
    stopped = IsNull(F("stopped_at"), False)
    place = Window(RowNumber(), partition_by=["deployment", stopped], order_by=F("created_at").desc())
    shown = Instance.objects.alias(ended=Case(When(stopped, then=place), default=0)).filter(ended__lte=ENDED_SHOWN)
    return rows.prefetch_related(Prefetch("instances", shown.select_related("job")))


def get_deployment(actor: Actor, project: Project, ref: str | UUID) -> Deployment:
    """By id or name. Raises NotFound."""
    deployment = list_deployments(actor).filter(project=project).filter(by_id_or_name(ref)).first()
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
    wanted = with_instances(Deployment.objects.filter(wanted=True))
    return sum(state_of(row) in {DeploymentState.FAILED, DeploymentState.DEGRADED} for row in wanted)


def runtime_label(name: str) -> str:
    """What people see in place of an engine's name."""
    if name == "auto":
        return gettext("Automatic")
    return gettext(runtimes.get(name).label) if name in runtimes else name


def describe(deployment: Deployment) -> dict[str, Any]:
    """What lists and clients see of a deployment."""
    ready = routable(deployment)
    runtime = next((row.runtime for row in ready if row.runtime), deployment.runtime)
    return {
        "deployment": deployment,
        "name": deployment.name,
        "state": str(state_of(deployment)),
        "reason": reason_of(deployment),
        "runtime": runtime,
        "runtime_label": runtime_label(runtime),
        "ready_replicas": deployment.replicas if deployment.external_url else len(ready),
        "model": str(deployment.model_version) if deployment.model_version else deployment.external_url,
    }


def instance_rows(deployment: Deployment, ended_shown: int = ENDED_SHOWN) -> list[dict[str, Any]]:
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
