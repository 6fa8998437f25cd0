"""One tick of the scheduler with 1,000 jobs waiting, against one with a single job waiting.

The node is full, so every job is looked at and none is placed. Target: at most 100 ms at the 95th percentile.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from bench.database import migrated
from bench.measures import summary

JOBS = 1000
TICKS = 40
TARGET_MS = 100.0


def run(folder: Path) -> dict[str, Any]:
    with migrated(folder):
        return measure()


def measure() -> dict[str, Any]:
    project = small_node()
    queue(project, 2)  # the first takes the only core
    few = ticks()
    queue(project, JOBS)
    many = ticks()
    return {
        "unit": "ms",
        "one_waiting": summary(few),
        "thousand_waiting": summary(many),
        "ratio_p50": round(summary(many)["p50"] / summary(few)["p50"], 2),
        "target_ms": TARGET_MS,
        "passed": summary(many)["p95"] <= TARGET_MS,
    }


def small_node() -> Any:
    """A node with one core. Returns a project."""
    from django.conf import settings

    from apps.core.models import Project, Team
    from apps.gpucloud.services.nodes import register_node

    settings.AIFS_LEASE_S = 3600.0  # the node of a long measurement is not lost for its silence
    register_node("bench", "default", uuid.uuid4(), {"cpus": 0, "memory_mib": 1024}, [])
    return Project.objects.create(team=Team.objects.create(name="Bench"), slug="bench", name="Bench")


def queue(project: Any, count: int) -> None:
    from django.utils import timezone

    from apps.gpucloud.models import Job, JobState

    now = timezone.now()
    Job.objects.bulk_create(
        Job(project=project, kind="gpucloud.check", state=JobState.QUEUED, queued_at=now, resources={"cpus": 1})
        for _number in range(count)
    )


def ticks() -> list[float]:
    """Milliseconds of each tick; the first two, which also write down why each job waits, are left out."""
    from apps.core.readiness import settle
    from apps.gpucloud.services.scheduling import Clock, tick

    settle()  # as `manage.py scheduler` does
    clock, samples = Clock(), []
    for _turn in range(TICKS + 2):
        began = time.perf_counter()
        tick(clock)
        samples.append((time.perf_counter() - began) * 1000)
    return samples[2:]
