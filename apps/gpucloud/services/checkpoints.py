"""Checkpoints count once they are whole in storage; then older ones may go."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.storage import manifest_size
from apps.gpucloud.models import Checkpoint
from apps.gpucloud.services.transitions import add_event, lock_attempt

KEPT_NEWEST = 2
BEST_BY = ("eval_loss", "loss")
"""The checkpoint with the lowest of the first of these that it names is kept too."""


@transaction.atomic
def register_checkpoint(
    attempt_id: UUID, fence: int, step: int, manifest: dict[str, Any], values: dict[str, float]
) -> list[int]:
    """Record a checkpoint that is in storage. Returns the steps that need not be kept any longer, newest first."""
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
    return superfluous(list(Checkpoint.objects.filter(job=job, broken_at__isnull=True, deleted_at__isnull=True)))


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


def mark_deleted(job_id: UUID, steps: list[int]) -> None:
    """Before the files go, so that no row ever promises files that are gone."""
    Checkpoint.objects.filter(job_id=job_id, step__in=steps).update(deleted_at=Now())
