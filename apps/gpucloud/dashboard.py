"""What the project's first page says about work: what runs now, and what needs a look."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.access import Actor
from apps.core.dashboard import Concern, Counts
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


def concerns(actor: Actor, project: Project) -> Iterable[Concern]:
    """Jobs that failed in the last day, and nodes that do not answer."""
    lost = Node.objects.filter(state=NodeState.LOST).order_by("name")[:SHOWN]
    nodes_url = reverse("gpucloud:node_list", args=[project.slug])
    for node in lost:
        yield Concern(_("The node %(name)s does not answer.") % {"name": node.name}, "", nodes_url, node.state)
    failed = selectors.list_jobs(actor, project).filter(
        state=JobState.FAILED, ended_at__gt=timezone.now() - LATELY, service=False
    )
    for job in failed[:SHOWN]:
        url = reverse("gpucloud:job_detail", args=[project.slug, job.pk])
        yield Concern(job.name or shown.kind_label(job.kind), shown.reason_text(job.reason), url, job.state)
