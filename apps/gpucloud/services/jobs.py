"""What people do with jobs: submit, cancel, retry, resume, clone, reproduce."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.models import Project
from apps.core.selectors import as_uuid
from apps.core.services import record_audit
from apps.core.validation import finding
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Attempt, Job, JobInput, JobState
from apps.gpucloud.services.checkpoints import drop_checkpoints_after
from apps.gpucloud.services.inputs import check_params, check_resources, resolve_inputs, wrong_fields
from apps.gpucloud.services.transitions import change_state, end_job, lock_job
from apps.gpucloud.services.wakeups import wake_node, wake_scheduler
from workers.kinds import Kind, kinds

PRIORITY_MAX = 100
CANCEL_AT_ONCE = 200
SERVICE_ATTEMPTS = 8
"""A serving instance is started again more often than a run before it is given up."""


def get_kind(name: str) -> Kind:
    """Raises InvalidInput that lists the known kinds."""
    try:
        return kinds.get(name)
    except NotFound as error:
        raise InvalidInput(error.message, **error.data) from None


def submit_job(
    actor: Actor,
    project: Project,
    kind: str,
    params: dict[str, Any],
    *,
    name: str = "",
    resources: dict[str, Any] | None = None,
    priority: int = 0,
    after: Iterable[Job] = (),
    seed: int | None = None,
    service: bool | None = None,
    max_attempts: int | None = None,
    cloned_from: Job | None = None,
    reproduces: Job | None = None,
) -> Job:
    """Check and record a job; the scheduler wakes when the transaction commits.

    resources: overrides of what the kind asks for. after: jobs that must succeed first.
    Raises NotAllowed, or InvalidInput with `data.errors` by field.
    """
    definition = get_kind(kind)
    require_right(actor, definition, project)
    handler = handler_for(kind)
    checked = check_params(definition, params)
    stored, inputs = resolve_inputs(actor, project, definition, checked)
    handler.check(project, definition, checked, inputs)
    needs = check_resources(asdict(handler.resources(definition, checked, inputs)) | (resources or {}))
    check_priority(priority)
    is_service = definition.service if service is None else service
    with transaction.atomic():
        job = Job.objects.create(
            project=project,
            kind=kind,
            name=name[:200],
            params=stored,
            resources=asdict(needs),
            priority=priority,
            seed=42 if seed is None else seed,
            service=is_service,
            max_attempts=max_attempts or (SERVICE_ATTEMPTS if is_service else 3),
            created_by=actor.user if actor.is_authenticated else None,
            cloned_from=cloned_from,
            reproduces=reproduces,
        )
        JobInput.objects.bulk_create(
            JobInput(job=job, name=field, artefact=artefact) for field, artefact in inputs.items()
        )
        job.after.set(_same_project(project, after))
        change_state(job, JobState.QUEUED)
        record_audit(actor, "job.submit", job, kind=kind)
        wake_scheduler()
    return job


def check_priority(priority: int) -> None:
    """Raises InvalidInput."""
    if not -PRIORITY_MAX <= priority <= PRIORITY_MAX:
        raise wrong_fields([finding("priority", "range", ge=-PRIORITY_MAX, le=PRIORITY_MAX)])


@transaction.atomic
def update_job(actor: Actor, job: Job, *, name: str | None = None, priority: int | None = None) -> None:
    """Rename a job, or move it in the queue. Raises Conflict when it has left the queue for good."""
    require_right(actor, get_kind(job.kind), job.project)
    locked = lock_job(job.pk)
    if priority is not None:
        check_priority(priority)
        if locked.state not in Job.ACTIVE:
            raise Conflict(_("This job has already ended."), job=str(job.pk))
        locked.priority = priority
    locked.name = locked.name if name is None else name[:200]
    locked.save(update_fields=["name", "priority"])
    record_audit(actor, "job.update", locked)
    wake_scheduler()
    job.refresh_from_db()


def require_right(actor: Actor, kind: Kind, project: Project) -> None:
    """Raises unless the actor may start such a job."""
    actor.require(right_of(kind), project)


def right_of(kind: Kind) -> str:
    """Serving needs `deploy`; what a business expert may start needs `run_simple`; everything else needs `run`."""
    return "deploy" if kind.service else "run_simple" if kind.simple else "run"


def _same_project(project: Project, after: Iterable[Job]) -> list[Job]:
    jobs = list(after)
    if any(job.project_id != project.pk for job in jobs):
        raise InvalidInput(_("A job can only wait for jobs of its own project."))
    return jobs


@transaction.atomic
def cancel_job(actor: Actor, job: Job) -> None:
    """Ask a job to stop; it is `cancelled` once its processes are gone. Raises Conflict when it has already ended."""
    require_right(actor, get_kind(job.kind), job.project)
    request_cancel(job)
    record_audit(actor, "job.cancel", job)


def cancel_jobs(actor: Actor, project: Project, ids: Iterable[str]) -> tuple[int, int]:
    """Cancel several jobs of a project, at most CANCEL_AT_ONCE. Answers how many were asked to stop, and how many had
    ended; one that is not the project's is not there. Raises NotAllowed before any is touched."""
    known = [uuid for uuid in map(as_uuid, ids) if uuid][:CANCEL_AT_ONCE]
    jobs = list(Job.objects.filter(project=project, pk__in=known).select_related("project"))
    for job in jobs:
        require_right(actor, get_kind(job.kind), project)
    asked = 0
    for job in jobs:
        try:
            cancel_job(actor, job)
            asked += 1
        except Conflict:
            continue
    return asked, len(jobs) - asked


@transaction.atomic
def request_cancel(job: Job) -> None:
    """As `cancel_job`, for the system's own use (an undeployed model needs no instance)."""
    if not Job.objects.filter(pk=job.pk, state__in=Job.ACTIVE).update(cancel_requested_at=Now()):
        raise Conflict(_("This job has already ended."), job=str(job.pk))
    locked = lock_job(job.pk)
    attempt = Attempt.objects.filter(job=locked, state__in=Attempt.ACTIVE).select_related("node").first()
    if attempt:
        wake_node(attempt.node.name, attempt.pk)
    else:
        end_job(locked, JobState.CANCELLED)
    job.refresh_from_db()


def retry_job(actor: Actor, job: Job) -> None:
    """The same job from its start, as a new attempt. Raises Conflict while it has not ended."""
    _start_again(actor, job, "job.retry", from_start=True)


def resume_job(actor: Actor, job: Job, step: int | None = None) -> None:
    """The same job from its newest valid checkpoint, as a new attempt. step: from the checkpoint at this step; later
    ones are given up. Raises Conflict while it has not ended, NotFound when there is no such checkpoint."""
    with transaction.atomic():
        _start_again(actor, job, "job.resume", from_start=False)
        if step is not None:
            drop_checkpoints_after(job, step)


@transaction.atomic
def _start_again(actor: Actor, job: Job, action: str, *, from_start: bool) -> None:
    require_right(actor, get_kind(job.kind), job.project)
    locked = lock_job(job.pk)
    if locked.state in Job.ACTIVE:
        raise Conflict(_("This job has not ended yet."), job=str(job.pk), state=locked.state)
    if locked.state == JobState.SUCCEEDED:
        raise Conflict(_("This job has succeeded."), hint=_("Clone it to run it once more."), job=str(job.pk))
    fresh: dict[str, Any] = {"restarted_at": timezone.now(), "metrics": {}, "progress": {}} if from_start else {}
    change_state(
        locked, JobState.QUEUED, failures=0, not_before=None, cancel_requested_at=None, ended_at=None,
        queued_at=timezone.now(), result={}, **fresh,
    )  # fmt: skip
    record_audit(actor, action, locked)
    wake_scheduler()
    job.refresh_from_db()


def clone_job(actor: Actor, job: Job, **changes: Any) -> Job:
    """A new job like this one. changes: `params` (merged over the old ones), `name`, `resources`, `priority`,
    `seed`, `reproduces`."""
    params = job.params | changes.pop("params", {})
    kept = {"name": job.name, "resources": job.resources, "priority": job.priority, "seed": job.seed}
    return submit_job(actor, job.project, job.kind, params, cloned_from=job, service=job.service, **kept | changes)
