"""What the project's first page says about work: what runs now, and what needs a look."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from apps.core.access import Actor
from apps.core.dashboard import Counts
from apps.core.models import Project
from apps.gpucloud import selectors, shown
from apps.gpucloud.models import Job, JobState, Node, NodeState

LATELY = timedelta(days=1)
SHOWN = 5


def activity(project: Project) -> Counts:
    """By kind and state: jobs that have not ended, and those that failed in the last day and were not run again."""
    lately = Q(state=JobState.FAILED, ended_at__gt=timezone.now() - LATELY)
    rows = Job.objects.filter(Q(state__in=Job.ACTIVE) | lately, project=project, service=False)
    counts: Counts = {}
    for kind, state, count in rows.values_list("kind", "state").annotate(count=Count("id")):
        counts.setdefault(kind, {})[state] = count
    return counts


def running(actor: Actor, project: Project) -> dict[str, Any]:
    """The jobs that run or wait, the oldest first, since those end first; services are at home elsewhere."""
    jobs = selectors.list_jobs(actor, project).filter(state__in=Job.ACTIVE, service=False)
    rows = [
        {"job": job, "kind": shown.kind_label(job.kind), "progress": shown.progress(job.progress)}
        for job in jobs.order_by("id")[:SHOWN]
    ]
    return {"rows": rows, "more": max(0, jobs.count() - len(rows)) if len(rows) == SHOWN else 0}


def attention(actor: Actor, project: Project) -> dict[str, Any]:
    """Jobs that failed in the last day, and nodes that do not answer."""
    failed = selectors.list_jobs(actor, project).filter(
        state=JobState.FAILED, ended_at__gt=timezone.now() - LATELY, service=False
    )
    rows = [
        {"job": job, "kind": shown.kind_label(job.kind), "reason": shown.reason_text(job.reason)}
        for job in failed[:SHOWN]
    ]
    return {"rows": rows, "nodes": list(Node.objects.filter(state=NodeState.LOST).order_by("name")[:SHOWN])}
