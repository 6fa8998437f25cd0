"""What tests of jobs do by hand: a node without an agent, a scheduler that is called, an agent's writes."""

import uuid
from typing import Any

from django.db.models.functions import Now

from apps.gpucloud.models import Attempt, Job, Node
from apps.gpucloud.services.attempts import Claim, claim_attempt, mark_started
from apps.gpucloud.services.nodes import register_node
from apps.gpucloud.services.scheduling import Clock, Tick, tick

MACHINE = {"cpus": 2, "memory_mib": 8000, "disk_free_mib": 50_000, "load": 0.5}


def gpu(index: int, vendor: str = "nvidia") -> dict[str, Any]:
    return {
        "vendor": vendor,
        "index": index,
        "uuid": f"GPU-{vendor}-{index}",
        "model": "A100",
        "memory_total_mib": 81920,
    }


def make_node(name: str = "north", devices: list[dict[str, Any]] | None = None, **machine: int) -> Node:
    """Two cores (four promised) and no accelerator unless told otherwise."""
    return register_node(name, "default", uuid.uuid4(), MACHINE | machine, devices or [])


class Trusting(Clock):
    """Lets leases expire although the test's PostgreSQL has only just been started."""

    def trusts(self, *_: Any) -> bool:
        return True


def schedule() -> Tick:
    return tick(Trusting())


def started(job: Job) -> Claim:
    """Claim and start the newest attempt of a job, as its agent would."""
    attempt = job.attempts.latest("number")
    claim = claim_attempt(attempt.pk, attempt.node_id, "/nowhere")
    assert claim is not None
    mark_started(claim, None)
    return claim


def expire(attempt: Attempt) -> None:
    attempt.leases.update(expires_at=Now())


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)
