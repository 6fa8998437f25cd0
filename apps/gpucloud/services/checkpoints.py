"""Checkpoints count once they are whole in storage; then older ones may go."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.selectors import as_uuid
from apps.core.storage import manifest_size, storage
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Checkpoint, Job
from apps.gpucloud.services.transitions import add_event, lock_attempt

KEPT_NEWEST = 2
BEST_BY = ("eval_loss", "loss")
"""The checkpoint with the lowest of the first of these that it names is kept too."""
BACKUP_LOCK = (0x41494653, 1)
"""Name of the advisory lock that a backup holds (shared) until it has copied what it means to copy."""


@transaction.atomic
def register_checkpoint(
    attempt_id: UUID, fence: int, step: int, manifest: dict[str, Any], values: dict[str, float]
) -> list[int]:
    """Record a checkpoint that is in storage. Returns the steps that need not be kept any longer, newest first: none
    while a backup is being made, which may be on its way to copy them."""
    job, attempt = lock_attempt(attempt_id, fence)
    size = manifest_size(manifest)
    Checkpoint.objects.update_or_create(
        job=job,
        step=step,
        defaults={
            "attempt": attempt, "manifest": manifest, "size_bytes": size, "values": values,
            "broken_at": None, "deleted_at": None, "created_at": timezone.now(),
        },
    )  # fmt: skip
    add_event(job, "checkpoint", {"step": step, "size_bytes": size, "values": values})
    job.save(update_fields=["last_seq"])
    if being_backed_up():
        return []
    return superfluous(list(Checkpoint.objects.filter(job=job, broken_at__isnull=True, deleted_at__isnull=True)))


def being_backed_up() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            BACKUP_LOCK,
        )
        return bool(cursor.fetchone()[0])


def superfluous(checkpoints: list[Checkpoint]) -> list[int]:
    """All but the newest two and the best one."""
    newest_first = sorted(checkpoints, key=lambda checkpoint: -checkpoint.step)
    kept = {checkpoint.step for checkpoint in newest_first[:KEPT_NEWEST]}
    for name in BEST_BY:
        rated = [checkpoint for checkpoint in newest_first if isinstance(checkpoint.values.get(name), int | float)]
        if rated:
            kept.add(min(rated, key=lambda checkpoint: checkpoint.values[name]).step)
            break
    return [checkpoint.step for checkpoint in newest_first if checkpoint.step not in kept]


def remove_strays() -> int:
    """Remove checkpoints from storage that no record counts: their node died between two steps. Returns how many.

    A job that has not ended may have one on its way into the records, newer than all that are in them: that one stays.
    """
    live: dict[str, set[int]] = defaultdict(set)
    for job_id, step in Checkpoint.objects.filter(deleted_at__isnull=True).values_list("job_id", "step"):
        live[str(job_id)].add(step)
    stored = [(job, step) for job, step in storage().list_checkpoints() if step not in live[job]]
    known = [job for job, _step in stored if as_uuid(job)]
    active = {str(pk) for pk in Job.objects.filter(pk__in=known, state__in=Job.ACTIVE).values_list("pk", flat=True)}
    strays = [(job, step) for job, step in stored if job not in active or step < max(live[job], default=0)]
    for job, step in strays:
        storage().delete_checkpoint(job, step)
    return len(strays)


def get_checkpoint(job: Job, step: int) -> Checkpoint:
    """A whole one that is in storage. Raises NotFound."""
    whole = Checkpoint.objects.filter(job=job, step=step, broken_at__isnull=True, deleted_at__isnull=True).first()
    if whole is None:
        raise NotFound(_("This job has no checkpoint at step %(step)s."), step=step)
    return whole


def drop_checkpoints_after(job: Job, step: int) -> None:
    """So that the next attempt goes on from this step. Their files go with the next tidying."""
    get_checkpoint(job, step)
    Checkpoint.objects.filter(job=job, step__gt=step, deleted_at__isnull=True).update(deleted_at=Now())


def publish_checkpoint(actor: Actor, job: Job, step: int, name: str) -> Job:
    """Start the job that makes a model of a checkpoint; its files are kept as an artefact. Raises Conflict for jobs
    whose checkpoints are no models, NotFound, NotAllowed, or InvalidInput for a name that is none."""
    return handler_for(job.kind).publish(actor, job, get_checkpoint(job, step), name)


def mark_deleted(job_id: UUID, steps: list[int]) -> None:
    """Before the files go, so that no row ever promises files that are gone."""
    Checkpoint.objects.filter(job_id=job_id, step__in=steps).update(deleted_at=Now())
