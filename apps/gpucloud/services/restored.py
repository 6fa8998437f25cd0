"""After a restore: the records speak of agents, leases and processes of another installation."""

from django.db import transaction
from django.utils.translation import gettext_noop as _

from apps.gpucloud.models import Attempt, AttemptState, Job, Node, NodeState
from apps.gpucloud.services.transitions import close_attempt, lock_job, reason, requeue


@transaction.atomic
def let_go_of_nodes() -> int:
    """Put what was running back into the queue, to go on from its newest checkpoint; no node counts as there until its
    agent speaks. Without this an agent of the same name would adopt processes of the installation that was copied.

    Attempts that wait for their finish stay: all they made is in storage. Returns how many jobs were put back.
    """
    why = reason(
        "restored", _("The installation was restored from a backup; the job goes on from its newest checkpoint.")
    )
    held = Attempt.objects.filter(state__in=Attempt.ACTIVE).exclude(state=AttemptState.FINISHING)
    count = 0
    for attempt in held.select_related("node"):
        job: Job = lock_job(attempt.job_id)
        close_attempt(attempt, AttemptState.LOST, why)
        requeue(job, why, failed=False, attempt=attempt)
        count += 1
    Node.objects.filter(state=NodeState.READY).update(state=NodeState.LOST)
    Node.objects.update(agent_id=None, heartbeat_at=None)
    return count
