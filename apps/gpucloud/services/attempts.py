"""What a node agent writes about its attempts. Everything is guarded by the fence: a stale one raises StaleFence."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Attempt, AttemptState, Checkpoint, Job, JobState, Lease
from apps.gpucloud.services.inputs import check_reach, spec_inputs
from apps.gpucloud.services.pausing import Full, pause
from apps.gpucloud.services.transitions import (
    Reason,
    change_state,
    close_attempt,
    end_job,
    lock_attempt,
    reason,
    release_leases,
    requeue,
)
from apps.gpucloud.services.wakeups import wake_finisher
from workers.kinds import kinds
from workers.spec import Spec

NAMES = (
    "SELECT file.value->>'sha256' FROM gpucloud_attempt AS attempt, jsonb_each(attempt.outputs) AS output, "
    "jsonb_each(output.value->'manifest') AS file "
    "WHERE attempt.state IN ('assigned', 'preparing', 'running', 'finishing')"
)
"""Stored files of attempts that have not ended; afterwards their artefacts name them."""


@dataclass
class Claim:
    """All an agent needs to run an attempt without the database. checkpoints: (step, manifest), newest first."""

    attempt_id: UUID
    job_id: UUID
    fence: int
    spec: Spec
    service: bool
    secrets: dict[str, str] = field(default_factory=dict)
    checkpoints: list[tuple[int, dict[str, Any]]] = field(default_factory=list)


def lease_time() -> timedelta:
    return timedelta(seconds=settings.AIFS_LEASE_S)


@transaction.atomic
def claim_attempt(attempt_id: UUID, node_id: UUID, run_dir: str) -> Claim | None:
    """Take an assigned attempt for this node. None when it is not (or no longer) to be taken: a second delivery of the
    message changes no row and stops here."""
    waiting = Attempt.objects.filter(pk=attempt_id, node_id=node_id, state=AttemptState.ASSIGNED)
    fence = waiting.values_list("fence", flat=True).first()
    if fence is None:
        return None
    job, attempt = lock_attempt(attempt_id, fence)
    if not waiting.update(state=AttemptState.PREPARING, run_dir=run_dir):
        return None
    attempt.state = AttemptState.PREPARING
    check_reach(job)
    change_state(job, JobState.PREPARING)
    return describe(job, attempt)


def describe(job: Job, attempt: Attempt) -> Claim:
    """The claim of an attempt; also for an agent that comes back to one it had claimed before."""
    return Claim(
        attempt.pk,
        job.pk,
        attempt.fence,
        build_spec(job, attempt),
        job.service,
        handler_for(job.kind).secrets(job, attempt),
        list(usable_checkpoints(job).values_list("step", "manifest")),
    )


def build_spec(job: Job, attempt: Attempt) -> Spec:
    """The JSON that passes to the worker; `resume_from` is added once a checkpoint has been fetched and found whole."""
    granted = Lease.objects.filter(attempt=attempt, accelerator__isnull=False).select_related("accelerator")
    return Spec(
        job=str(job.pk),
        attempt=attempt.number,
        fence=attempt.fence,
        kind=job.kind,
        name=job.name,
        params=job.params,
        inputs=spec_inputs(job, kinds.get(job.kind)),
        cpus=job.resources.get("cpus", 1),
        memory_mib=job.resources.get("memory_mib", 0),
        timeout_s=job.resources.get("timeout_s", 0),
        accelerators=[
            {"vendor": device.vendor, "index": device.index, "uuid": device.uuid}
            for device in (lease.accelerator for lease in granted)
            if device
        ],
        seed=job.seed,
    )


def usable_checkpoints(job: Job) -> Any:
    """Whole ones of this job since its last start from scratch, newest first."""
    rows = Checkpoint.objects.filter(job=job, broken_at__isnull=True, deleted_at__isnull=True).order_by("-step")
    return rows.filter(created_at__gt=job.restarted_at) if job.restarted_at else rows


@transaction.atomic
def refuse_attempt(attempt_id: UUID, fence: int, why: Reason) -> None:
    """The node cannot even describe the work (its plug-in or a file is gone): another attempt would fare no better."""
    job, attempt = lock_attempt(attempt_id, fence)
    close_attempt(attempt, AttemptState.FAILED, why)
    end_job(job, JobState.CANCELLED if job.cancel_requested_at else JobState.FAILED, why)


@transaction.atomic
def mark_started(claim: Claim, resumed_from: int | None) -> None:
    job, attempt = lock_attempt(claim.attempt_id, claim.fence)
    attempt.state, attempt.started_at, attempt.resumed_from_step = AttemptState.RUNNING, timezone.now(), resumed_from
    attempt.save(update_fields=["state", "started_at", "resumed_from_step"])
    change_state(job, JobState.RUNNING, started_at=job.started_at or timezone.now())


def renew_leases(attempt_ids: list[UUID]) -> None:
    """These attempts go on holding what they hold, by the database's clock. A lost one is not brought back."""
    Lease.objects.filter(
        attempt__in=attempt_ids, released_at__isnull=True, attempt__state__in=Attempt.ACTIVE, fence=F("attempt__fence")
    ).update(expires_at=Now() + lease_time())


def mark_broken(claim: Claim, steps: list[int]) -> None:
    """These checkpoints failed their checksums and are not used again."""
    Checkpoint.objects.filter(job_id=claim.job_id, step__in=steps).update(broken_at=Now())


def note_outputs(claim: Claim, outputs: dict[str, Any]) -> None:
    """These are in storage, and stay there while the attempt lives, however long it goes on. One that was lost says
    nothing."""
    Attempt.objects.filter(pk=claim.attempt_id, fence=claim.fence, state__in=Attempt.ACTIVE).update(outputs=outputs)


@transaction.atomic
def hand_to_finisher(claim: Claim, outputs: dict[str, Any], exit: dict[str, Any]) -> None:
    """The child has done its work and its files are in storage: free the device, let the control queue register."""
    _job, attempt = lock_attempt(claim.attempt_id, claim.fence)
    attempt.state, attempt.outputs = AttemptState.FINISHING, outputs
    _record_exit(attempt, exit, ["state", "outputs"])
    release_leases(attempt)
    wake_finisher(attempt.pk)


@transaction.atomic
def close_failed(claim: Claim, why: Reason, exit: dict[str, Any], *, again: bool) -> None:
    """The run went wrong. again: it may be tried once more, within the job's bound."""
    job, attempt = lock_attempt(claim.attempt_id, claim.fence)
    _record_exit(attempt, exit)
    close_attempt(attempt, AttemptState.FAILED, why)
    if again:
        requeue(job, why, failed=True, attempt=attempt)
    else:
        end_job(job, JobState.CANCELLED if job.cancel_requested_at else JobState.FAILED, why)


@transaction.atomic
def close_stopped(claim: Claim, exit: dict[str, Any]) -> None:
    """The run ended because it was asked to: cancelled for good, or back into the queue without a mark against it."""
    job, attempt = lock_attempt(claim.attempt_id, claim.fence)
    _record_exit(attempt, exit)
    why = reason("stopped", _("Stopped as asked; it goes on from its newest checkpoint."))
    close_attempt(attempt, AttemptState.CANCELLED, None if job.cancel_requested_at else why)
    requeue(job, why, failed=False)


@transaction.atomic
def close_paused(attempt_id: UUID, fence: int, full: Full, exit: dict[str, Any]) -> None:
    """No space was left: the job waits for some, without a mark against it."""
    job, attempt = lock_attempt(attempt_id, fence)
    _record_exit(attempt, exit)
    close_attempt(attempt, AttemptState.FAILED, full.reason(attempt))
    pause(job, attempt, full)


def _record_exit(attempt: Attempt, exit: dict[str, Any], fields: list[str] | None = None) -> None:
    attempt.exit_code = exit.get("code")
    attempt.peak_memory_mib = exit.get("peak_memory_mib")
    attempt.cpu_s = exit.get("cpu_s")
    attempt.save(update_fields=["exit_code", "peak_memory_mib", "cpu_s", *(fields or [])])
