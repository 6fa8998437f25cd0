"""What the project's first page says about work: what runs now, and what needs a look."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from apps.core.access import Actor
from apps.core.dashboard import Concern, Counts, Figure
from apps.core.models import Project
from apps.core.templatetags.ui import amount
from apps.gpucloud import costs, selectors, shown
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
        {"job": job, "title": shown.title_of(job), "progress": shown.progress(job.progress)}
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
        yield Concern(shown.title_of(job), shown.reason_text(job.reason), url, job.state)


def month(actor: Actor, project: Project, since: datetime) -> Iterable[Figure]:
    """How many jobs ended, the hours of cores and of accelerators that jobs and services have held, and their price."""
    actor.require("view", project)
    cost = costs.of_project(project, since)
    jobs = Job.objects.filter(project=project, service=False, ended_at__gte=since)
    counted = jobs.aggregate(ended=Count("pk"), failed=Count("pk", filter=Q(state=JobState.FAILED)))
    url = reverse("gpucloud:job_list", args=[project.slug])
    failed = _("%(count)s of them failed") % {"count": counted["failed"]} if counted["failed"] else ""
    yield Figure(_("Jobs done"), number_format(counted["ended"]), hint=failed, url=f"{url}?state=ended")
    yield Figure(_("Core hours"), number_format(cost.core_hours, decimal_pos=1), _("h"))
    yield Figure(_("Accelerator hours"), number_format(cost.accelerator_hours, decimal_pos=1), _("h"))
    if cost.amount is not None:
        hint = _("%(currency)s, jobs and services") % {"currency": settings.AIFS_CURRENCY}
        yield Figure(_("Spend"), amount(cost.amount), hint=hint)
