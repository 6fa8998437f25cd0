"""Jobs that wait for disk space: paused with the reason, and back in the queue as soon as there is enough."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.storage import storage
from apps.gpucloud.models import Attempt, Job, JobState, Node, NodeState
from apps.gpucloud.services.transitions import Reason, change_state, interrupt, pause_over, reason
from workers import disk

AGAIN_AFTER_S = 2
UNCERTAIN_S = 60
"""Until the next try where looking does not tell: a bucket cannot be asked how much room it has, and a disk that has
enough by now may fill up at the same point again."""


@dataclass(frozen=True)
class Full:
    """Which disk was full (`node` or `storage`), what was free on it, and what must be free to go on."""

    where: str
    free_mib: int
    needed_mib: int

    @classmethod
    def on_node(cls, run_dir: Path) -> "Full":
        return cls("node", disk.free_mib(run_dir), disk.needed_mib(run_dir))

    @classmethod
    def in_storage(cls, run_dir: Path) -> "Full":
        """What this run directory holds did not fit."""
        if not storage().local:
            return cls("storage", 0, disk.used_mib(run_dir) + disk.MARGIN_MIB)
        root = Path(storage().root)
        return cls("storage", disk.free_mib(root), disk.needed_mib(run_dir, on=root))

    def reason(self, attempt: Attempt) -> Reason:
        texts = {
            "node": _("The disk of node %(node)s is full; %(needed_mib)s MiB must be free."),
            "storage": _("Storage is full; %(needed_mib)s MiB must be free."),
        }
        hint = _("It goes on by itself from its newest checkpoint once there is space.")
        facts: dict[str, Any] = {"where": self.where, "free_mib": self.free_mib, "needed_mib": self.needed_mib}
        return reason("disk_full", texts[self.where], hint, node=attempt.node.name, **facts)


def pause(job: Job, attempt: Attempt, full: Full) -> None:
    """The caller holds the job's lock. What the node said last of its disk is older than this."""
    if full.where == "node":
        Node.objects.filter(pk=attempt.node_id).update(disk_free_mib=full.free_mib)
    certain = (full.where == "node" or storage().local) and full.free_mib < full.needed_mib
    wait_s = AGAIN_AFTER_S if certain else UNCERTAIN_S
    interrupt(job, JobState.PAUSED, full.reason(attempt), not_before=timezone.now() + timedelta(seconds=wait_s))


def go_on_after_pause(now: datetime) -> int:
    """Queue the paused jobs for which there is space now; each asks for that much from now on. Returns how many."""
    count = 0
    for pk in Job.objects.filter(pause_over(now), state=JobState.PAUSED).values_list("pk", flat=True):
        job = Job.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk, state=JobState.PAUSED).first()
        if job and (wanted := _space_for(job)) is not None:
            change_state(job, JobState.QUEUED, not_before=None, resources=job.resources | {"disk_mib": wanted})
            count += 1
    return count


def _space_for(job: Job) -> int | None:
    """MiB to ask a node for, or None while there is not enough."""
    data = job.reason.get("data") or {}
    needed = int(data.get("needed_mib") or 0)
    if data.get("where") == "storage":
        full = storage().local and disk.free_mib(Path(storage().root)) < needed
        return None if full else int(job.resources.get("disk_mib") or 0)
    roomy = Node.objects.filter(state=NodeState.READY, agent_id__isnull=False, disk_free_mib__gte=needed)
    return needed if roomy.exists() else None
