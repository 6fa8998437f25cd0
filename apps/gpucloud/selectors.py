"""Reads that check access or join. Strangers get NotFound."""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core import artefact_types
from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Artefact, Project
from apps.core.selectors import as_uuid, readers_of
from apps.gpucloud.models import (
    Accelerator,
    Attempt,
    Checkpoint,
    Job,
    JobEvent,
    JobState,
    Lease,
    LogChunk,
    MetricChunk,
    Node,
    NodeState,
    Quota,
)
from workers.kinds import kinds

Series = dict[str, dict[str, list[Any]]]


def get_job(actor: Actor, id: UUID | str, project: Project | None = None) -> Job:
    """Raises NotFound unless the actor may see its project (and it is the given one)."""
    known = as_uuid(id)
    related = ("project", "created_by", "cloned_from", "reproduces")
    jobs = Job.objects.filter(project__in=actor.projects()).select_related(*related)
    if project is not None:
        jobs = jobs.filter(project=project)
    job = jobs.filter(pk=known).first() if known else None
    if job is None:
        raise NotFound(_("There is no such job, or you may not see it."))
    return job


def list_jobs(actor: Actor, project: Project | None = None) -> QuerySet[Job]:
    """Newest first."""
    jobs = Job.objects.filter(project__in=actor.projects()).select_related("project", "created_by")
    if project is not None:
        jobs = jobs.filter(project=project)
    return jobs.order_by("-id")


def filter_jobs(jobs: QuerySet[Job], *, state: str = "", kind: str = "", query: str = "") -> QuerySet[Job]:
    """state: a state, or `active` or `ended`. query: part of a name, or an id."""
    if state == "active":
        jobs = jobs.filter(state__in=Job.ACTIVE)
    elif state == "ended":
        jobs = jobs.filter(state__in=Job.ENDED)
    elif state in JobState.values:
        jobs = jobs.filter(state=state)
    if kind:
        jobs = jobs.filter(kind=kind)
    if query:
        known = as_uuid(query)
        jobs = jobs.filter(pk=known) if known else jobs.filter(_named(query))
    return jobs


def _named(query: str) -> Q:
    """Every word is in the name, or all of them in the kind (there are few, so they are looked through here)."""
    named = Q()
    for word in query.split()[:8]:
        named &= Q(name__icontains=word)
    fitting = [name for name in kinds.names() if query.lower() in f"{name} {gettext(kinds.get(name).label)}".lower()]
    return named | Q(kind__in=fitting) if fitting else named


def count_states(project: Project) -> dict[str, int]:
    """Jobs of a project by state."""
    rows = Job.objects.filter(project=project).values_list("state").annotate(count=Count("id"))
    return dict(rows)


def list_reproductions(job: Job) -> QuerySet[Job]:
    """Jobs that repeated this one, newest first."""
    return job.reproductions.select_related("project").order_by("-id")


def list_inputs(job: Job) -> list[tuple[str, Artefact, str]]:
    """Name, artefact and address of each input; no address where another project does not share it any more."""
    rows = job.inputs.select_related("artefact__project")
    foreign = [row.artefact_id for row in rows if row.artefact.project_id != job.project_id]
    gone = set(foreign) - set(readers_of([job.project], foreign)) if foreign else set()
    return [
        (row.name, row.artefact, "" if row.artefact_id in gone else artefact_types.url(row.artefact, job.project))
        for row in rows
    ]


def list_attempts(job: Job) -> QuerySet[Attempt]:
    return job.attempts.select_related("node").order_by("-number")


def list_checkpoints(job: Job) -> QuerySet[Checkpoint]:
    """Those still in storage, and those found broken."""
    return job.checkpoints.filter(deleted_at__isnull=True).select_related("attempt").order_by("-step")


def list_samples(job: Job) -> list[dict[str, Any]]:
    """What its model answered along the way: [{"step", "answers": [{"question", "expected", "answer"}]}], by step."""
    return sorted(
        JobEvent.objects.filter(job=job, type="sample").values_list("data", flat=True), key=lambda row: row["step"]
    )


def current_attempt(job: Job) -> Attempt | None:
    return job.attempts.select_related("node").order_by("-number").first()


# --- metrics and logs


def read_metrics(job: Job, names: list[str] | None = None) -> Series:
    """Every series: {name: {"steps", "values", "times"}}. What a later attempt did again replaces the earlier
    points."""
    chunks = (
        MetricChunk.objects.filter(job=job)
        .order_by("name", "id")
        .values_list("name", "attempt_id", "steps", "values", "times")
    )
    if names:
        chunks = chunks.filter(name__in=names)
    series: Series = {}
    last_attempt: dict[str, Any] = {}
    for name, attempt, steps, values, times in chunks:
        points = series.setdefault(name, {"steps": [], "values": [], "times": []})
        if last_attempt.get(name) not in (None, attempt):
            _cut(points, steps[0])
        last_attempt[name] = attempt
        points["steps"] += steps
        points["values"] += [None if value != value else value for value in values]
        points["times"] += times
    return series


def _cut(points: dict[str, list[Any]], first_step: int) -> None:
    keep = next((index for index, step in enumerate(points["steps"]) if step >= first_step), len(points["steps"]))
    for column in points.values():
        del column[keep:]


def read_lines(job: Job, after: int = 0, limit: int = 1_000) -> Iterator[dict[str, Any]]:
    """Lines of the log after a line number: {"line", "t", "level", "message", "data"}."""
    start = (
        LogChunk.objects.filter(job=job, first_line__lte=after + 1)
        .order_by("-first_line")
        .values_list("first_line", flat=True)
    )
    left = limit
    for chunk in (
        LogChunk.objects.filter(job=job, first_line__gte=start.first() or 1).order_by("first_line").iterator(4)
    ):
        for number, text in enumerate(chunk.text.split("\n")[:-1], chunk.first_line):
            if number > after:
                yield {"line": number, **json.loads(text)}
                left -= 1
                if left <= 0:
                    return


def last_line(job: Job) -> int:
    chunk = LogChunk.objects.filter(job=job).order_by("-first_line").values_list("first_line", "lines").first()
    return chunk[0] + chunk[1] - 1 if chunk else 0


# --- nodes


def list_nodes() -> QuerySet[Node]:
    """Every node with its devices and what runs on it. Nodes are shared by all projects."""
    live = Lease.objects.filter(released_at__isnull=True).select_related("attempt__job__project", "accelerator")
    return Node.objects.prefetch_related(
        Prefetch("accelerators", Accelerator.objects.order_by("vendor", "index")),
        Prefetch("leases", live, to_attr="live_leases"),
    ).order_by("name")


Held = list[tuple[UUID, bool, dict[str, int]]]
"""Project, whether services hold it, and how much by the names of Quota.LIMITS."""


def list_held() -> Held:
    """All that is lent now."""
    lent = Lease.objects.filter(released_at__isnull=True)
    sums = lent.values_list("attempt__job__project", "attempt__job__service").annotate(
        cards=Count("accelerator"),
        cores=Sum("cpus"),
        memory=Sum("memory_mib"),
        attempts=Count("pk", filter=Q(accelerator__isnull=True)),  # every attempt has one such lease
    )
    return [(project, service, dict(zip(Quota.LIMITS, amounts, strict=True))) for project, service, *amounts in sums]


def cluster(held: Held) -> dict[str, int]:
    """Over all nodes that work: "nodes" and those "ready", "cpus" that can be lent and "used_cpus", "memory_mib" and
    "used_memory_mib", "cards" (processors left out) and "used_cards", and how many jobs of all projects are
    "waiting"."""
    cards = Count("accelerators", filter=~Q(accelerators__vendor="cpu"))
    nodes = list(Node.objects.only("state", "cpus", "memory_mib").annotate(cards=cards))
    ready = [node for node in nodes if node.state == NodeState.READY]
    lent = {name: sum(amounts[name] for _project, _service, amounts in held) for name in Quota.LIMITS}
    return {
        "nodes": len(nodes),
        "ready": len(ready),
        "cpus": sum(node.lendable_cpus for node in ready),
        "used_cpus": lent["cpus"],
        "memory_mib": sum(node.memory_mib for node in ready),
        "used_memory_mib": lent["memory_mib"],
        "cards": sum(node.cards for node in ready),
        "used_cards": lent["accelerators"],
        "waiting": Job.objects.filter(state=JobState.QUEUED).count(),
    }


def with_use(quotas: Iterable[Quota], held: Held | None = None) -> list[Quota]:
    """Each with what its project holds now (`used`), and the part that services hold (`lasting`). One question for all
    of them, unless what is held is known already."""
    rows = list(quotas)
    for row in rows:
        row.used, row.lasting = dict.fromkeys(Quota.LIMITS, 0), dict.fromkeys(Quota.LIMITS, 0)
    if held is None:
        held = list_held() if rows else []
    known = {row.project_id: row for row in rows}
    for project, service, amounts in held:
        if quota := known.get(project):
            for name, amount in amounts.items():
                quota.used[name] += amount
                quota.lasting[name] += amount if service else 0
    return rows


def get_quota(actor: Actor, project: Project, held: Held | None = None) -> Quota | None:
    """With what is used of it; None where the project has no limit."""
    actor.require("view", project)
    return next(iter(with_use(Quota.objects.filter(project=project), held)), None)


def memory_free(accelerators: int = 0) -> dict[str, int]:
    """MiB that each ready node has left beside what its jobs were lent or have taken, by name; on its emptiest cards
    together, for a job that wants so many."""
    ready = Node.objects.filter(state=NodeState.READY)
    if accelerators:
        cards: dict[str, list[int]] = {}
        seen = Accelerator.objects.filter(node__in=ready, memory_total_mib__isnull=False).exclude(vendor="cpu")
        for name, total, used in seen.values_list("node__name", "memory_total_mib", "memory_used_mib"):
            cards.setdefault(name, []).append((total or 0) - (used or 0))
        return {name: sum(sorted(free)[-accelerators:]) for name, free in cards.items() if len(free) >= accelerators}
    lent = Lease.objects.filter(released_at__isnull=True, accelerator__isnull=True)
    taken: dict[Any, int] = {}
    for node, memory, peak in lent.values_list("node_id", "memory_mib", "attempt__peak_memory_mib"):
        taken[node] = taken.get(node, 0) + max(memory, peak or 0)
    return {node.name: node.memory_mib - taken.get(node.pk, 0) for node in ready}


def count_for_operators() -> dict[str, int]:
    """Over all projects: jobs "queued", "running" and "failed" in the last day, nodes "ready" and "lost"."""
    yesterday = timezone.now() - timedelta(days=1)
    jobs = Job.objects.filter(Q(state__in=("queued", "running")) | Q(state="failed", ended_at__gte=yesterday))
    counted = dict(jobs.values_list("state").annotate(count=Count("id")))
    nodes = dict(Node.objects.values_list("state").annotate(count=Count("id")))
    found = {state: counted.get(state, 0) for state in ("queued", "running", "failed")}
    return found | {state: nodes.get(state, 0) for state in ("ready", "lost")}


def list_failures() -> QuerySet[Job]:
    """Jobs of all projects that failed, newest first."""
    return Job.objects.filter(state=JobState.FAILED).select_related("project").order_by("-ended_at")
