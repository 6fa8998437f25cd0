"""How jobs and attempts change state. Whoever changes a job holds the lock of its row first, and no other job's."""

import contextlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.errors import NotFound
from apps.core.services import emit
from apps.gpucloud import shown
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Attempt, AttemptState, Job, JobEvent, JobState, Lease
from apps.gpucloud.services.wakeups import wake_pages, wake_scheduler

RETRY_PAUSES_S = (0, 5, 15, 60)
"""Pause before the next attempt after the first, second … failure in a row."""
NO_PAUSE = timedelta(minutes=5)
"""So far ahead lies the end of no pause, however much clocks of machines differ."""

Reason = dict[str, Any]


class StaleFence(Exception):
    """The attempt is no longer the job's own: nothing may be written for it, and its processes must end."""


def reason(code: str, message: str, hint: str = "", **data: Any) -> Reason:
    """A marked text and its data, stored apart so that each reader sees it in their language."""
    return {"code": code, "message": message, "hint": hint, "data": data}


def pause_over(now: datetime) -> Q:
    """Of jobs that need not wait any longer. A pause that would end later than any does was written by a clock that has
    been put back since, and is over."""
    return ~Q(not_before__gt=now, not_before__lte=now + NO_PAUSE)


def lock_job(job_id: UUID) -> Job:
    return _locked().get(pk=job_id)


def lock_attempt(attempt_id: UUID | str, fence: int) -> tuple[Job, Attempt]:
    """Lock an attempt's job. Raises StaleFence unless the attempt is alive in the records."""
    job = _locked().filter(attempts__id=attempt_id).first()
    attempt = Attempt.objects.filter(pk=attempt_id, fence=fence, state__in=Attempt.ACTIVE).first()
    if job is None or attempt is None:
        raise StaleFence(str(attempt_id))
    attempt.job = job
    return job, attempt


def _locked() -> QuerySet[Job]:
    """NO KEY: rows that point at the job (events, logs) can still be added by others meanwhile."""
    return Job.objects.select_for_update(no_key=True, of=("self",))


def add_event(job: Job, type: str, data: dict[str, Any]) -> int:
    """Append to the job's history; the caller holds its lock and saves `last_seq`."""
    job.last_seq += 1
    JobEvent.objects.create(job=job, seq=job.last_seq, type=type, data=data, at=timezone.now())
    wake_pages(job.pk, job.last_seq)
    return job.last_seq


def change_state(job: Job, state: JobState, why: Reason | None = None, **fields: Any) -> None:
    """Set the state, the reason and other fields of a locked job, and tell everybody. Only what runs has time left."""
    job.state, job.reason = state, why or {}
    if state != JobState.RUNNING and job.progress.get("eta_s"):
        fields = {"progress": {**job.progress, "eta_s": None}} | fields
    for name, value in fields.items():
        setattr(job, name, value)
    add_event(job, "state", {"state": state, "reason": job.reason, "attempt": job.attempt_count})
    job.save(update_fields=["state", "reason", "last_seq", *fields])


def end_job(job: Job, state: JobState, why: Reason | None = None, **fields: Any) -> None:
    """A final state. What waits for this job, and what waits for its place, is looked at again."""
    change_state(job, state, why, ended_at=timezone.now(), not_before=None, **fields)
    with contextlib.suppress(NotFound):  # the app of this kind may be gone; its old jobs can still end
        handler_for(job.kind).on_end(job)
    if state != JobState.CANCELLED and not job.service:
        emit(
            f"job.{state}", job.project, to=[job.created_by], job=shown.marked_title(job), kind=job.kind,
            id=str(job.pk), url=reverse("gpucloud:job_detail", args=[job.project.slug, job.pk]),
        )  # fmt: skip
    wake_scheduler()


def close_attempt(attempt: Attempt, state: AttemptState, why: Reason | None = None) -> None:
    """An attempt's end; what it held is free again."""
    attempt.state, attempt.reason, attempt.ended_at = state, why or {}, timezone.now()
    attempt.save(update_fields=["state", "reason", "ended_at"])
    release_leases(attempt)


def release_leases(attempt: Attempt) -> None:
    Lease.objects.filter(attempt=attempt, released_at__isnull=True).update(released_at=Now())
    wake_scheduler()


def requeue(job: Job, why: Reason, *, failed: bool, attempt: Attempt | None = None) -> None:
    """Back into the queue at its old place, to go on from the newest valid checkpoint; or the end when it has failed
    too often, or when somebody asked for the end meanwhile."""
    if job.cancel_requested_at:
        end_job(job, JobState.CANCELLED)
        return
    if failed:
        steady = attempt is not None and handler_for(job.kind).was_steady(job, attempt)
        job.failures = 1 if steady else job.failures + 1
        if job.failures >= job.max_attempts:
            too_often = {
                **why,
                "hint": why["hint"] or _("It was tried as often as allowed. Look at the log, then resume or retry it."),
            }
            end_job(job, JobState.FAILED, too_often, failures=job.failures)
            return
    pause_s = RETRY_PAUSES_S[min(job.failures, len(RETRY_PAUSES_S)) - 1] if failed else 0
    not_before = timezone.now() + timedelta(seconds=pause_s) if pause_s else None
    interrupt(job, JobState.QUEUED, why, failures=job.failures, not_before=not_before)


def interrupt(job: Job, state: JobState, why: Reason, **fields: Any) -> None:
    """A locked job that is to go on later, in a state in which it waits; its end when somebody asked for that."""
    if job.cancel_requested_at:
        end_job(job, JobState.CANCELLED)
        return
    change_state(job, state, why, **fields)
    with contextlib.suppress(NotFound):
        handler_for(job.kind).on_requeue(job)
    wake_scheduler()
