"""The lists of jobs and nodes."""

from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.access import Actor
from apps.core.lists import Bulk, Column, Empty, Filter, List, register
from apps.core.models import Project
from apps.core.selectors import as_uuid
from apps.gpucloud import selectors, shown
from apps.gpucloud.details import title_of
from apps.gpucloud.models import Job, JobState, Node, NodeState, Quota
from workers.kinds import kinds

STATES = [("active", _("Running or waiting")), ("ended", _("Have ended")), *JobState.choices]

COMPARE = Bulk("gpucloud:job_compare", _("Compare"), "chart-line", "view")


def _kinds() -> list[tuple[str, str]]:
    return [(name, shown.kind_label(name)) for name in kinds.names()]


def job_rows(jobs: list[Job], project: Project) -> list[dict[str, Any]]:
    for job in jobs:
        job.project = project  # known, and needed for the address of each
    return [
        {
            "job": job,
            "kind": shown.kind_label(job.kind),
            "title": title_of(job),
            "progress": shown.bar(job.progress),
            "duration_s": shown.duration_s(job),
        }
        for job in jobs
    ]


JOBS = register(
    List(
        url_name="gpucloud:job_list",
        label=_("Jobs"),
        icon="list-checks",
        rows=lambda actor, project: selectors.list_jobs(actor, project),
        present=job_rows,
        row_template="gpucloud/_job_row.html",
        columns=(
            Column("state", _("State"), lambda row: row["job"].get_state_display()),
            Column("name", _("Job"), lambda row: row["job"].name, order="name"),
            Column("kind", _("Kind"), lambda row: row["job"].kind, head=False),
            Column("progress", _("Progress"), lambda row: shown.reason_text(row["job"].reason)),
            Column("by", _("By"), lambda row: row["job"].created_by or ""),
            Column("created", _("Started"), lambda row: row["job"].created_at, order="id"),
            Column("ended", _("Ended"), lambda row: row["job"].ended_at, head=False),
            Column("took", _("Took"), lambda row: row["duration_s"], numeric=True),
            Column("id", _("Id"), lambda row: row["job"].pk, head=False),
        ),
        sort="-created",
        search=lambda rows, query: selectors.filter_jobs(rows, query=query),
        placeholder=_("Name or id"),
        filters=(
            Filter(
                "state", _("State"), _("All states"), STATES,
                lambda rows, value: selectors.filter_jobs(rows, state=value),
            ),
            Filter("kind", _("Kind"), _("All kinds"), _kinds),
        ),
        bulk=(
            COMPARE,
            Bulk(
                "gpucloud:job_cancel_many", _("Cancel the chosen jobs"), "ban", "run_simple",
                _("Cancel the chosen jobs? What they have not saved in a checkpoint is lost."),
            ),
        ),
        empty=Empty(
            "list-checks",
            _("No jobs yet"),
            _(
                "Imports, cleaning, fine-tuning and evaluations appear here as soon as you start them. Check a node to"
                " see one run."
            ),
            _("Check a node"),
            lambda project: reverse("gpucloud:job_create", args=[project.slug, "gpucloud.check"]),
            "run_simple",
        ),
    )
)  # fmt: skip


def _search_nodes(rows: QuerySet[Node], query: str) -> QuerySet[Node]:
    known = as_uuid(query)
    return rows.filter(pk=known) if known else rows.filter(Q(name__icontains=query) | Q(pool__icontains=query))


def node_rows(nodes: list[Any], project: Project) -> list[dict[str, Any]]:
    """Each with its devices and what uses it. Names of other projects' jobs are not shown."""
    return [_node(node, project) for node in nodes]


def _node(node: Any, project: Project) -> dict[str, Any]:
    whole = [lease.attempt.job for lease in node.live_leases if lease.accelerator_id is None]
    return {
        "node": node,
        "used_cpus": sum(lease.cpus for lease in node.live_leases),
        "used_memory_mib": sum(lease.memory_mib for lease in node.live_leases),
        "devices": [_device(device, node.live_leases, project) for device in node.accelerators.all()],
        "jobs": [{"job": job, "title": title_of(job)} for job in whole if job.project_id == project.pk],
        "others": sum(1 for job in whole if job.project_id != project.pk),
    }


def _device(device: Any, leases: list[Any], project: Project) -> dict[str, Any]:
    holder = next((lease for lease in leases if lease.accelerator_id == device.pk), None)
    job = holder.attempt.job if holder and holder.attempt.job.project_id == project.pk else None
    return {"row": device, "taken": holder is not None, "job": job, "title": title_of(job) if job else ""}


def waiting_rows(actor: Actor, project: Project, limit: int = 6) -> dict[str, Any]:
    """Why the queue waits: the project's waiting jobs, the first to go first, and how many more there are."""
    jobs = selectors.list_jobs(actor, project).filter(state=JobState.QUEUED).order_by("-priority", "id")
    rows = [
        {"job": job, "title": title_of(job), "why": shown.reason(job.reason), "needs": job.resources}
        for job in jobs[:limit]
    ]
    return {"rows": rows, "more": max(0, jobs.count() - limit) if len(rows) == limit else 0}


QUOTA_LABELS = (
    ("cpus", _("Cores lent")),
    ("memory_mib", _("Memory promised")),
    ("accelerators", _("Accelerators in use")),
    ("running_jobs", _("Jobs running")),
)


def quota_rows(quota: Quota | None) -> list[dict[str, Any]]:
    """Every limit of a project with what it uses; none where it has no quota."""
    if quota is None:
        return []
    return [
        {
            "name": name,
            "label": label,
            "used": quota.used[name],
            "limit": quota.limits.get(name),
            "over": quota.used[name] > quota.limits.get(name, quota.used[name]),
        }
        for name, label in QUOTA_LABELS
    ]


def _nodes(actor: Actor, project: Project) -> QuerySet[Node]:
    actor.require("view", project)
    return selectors.list_nodes()


NODES = register(
    List(
        url_name="gpucloud:node_list",
        label=_("Nodes"),
        icon="server",
        rows=_nodes,
        present=node_rows,
        row_template="gpucloud/_node.html",
        cards=True,
        columns=(
            Column("name", _("Name"), lambda row: row["node"].name, order="name"),
            Column("state", _("State"), lambda row: row["node"].get_state_display()),
            Column("pool", _("Pool"), lambda row: row["node"].pool),
            Column("cpus", _("Cores"), lambda row: row["node"].cpus, numeric=True),
            Column("used_cpus", _("Cores lent"), lambda row: row["used_cpus"], numeric=True),
            Column("memory", _("Memory (MiB)"), lambda row: row["node"].memory_mib, numeric=True),
            Column("devices", _("Accelerators"), lambda row: len(row["devices"]), numeric=True),
            Column("heard", _("Last heard"), lambda row: row["node"].heartbeat_at),
        ),
        sort="name",
        search=_search_nodes,
        placeholder=_("Name or pool"),
        filters=(Filter("state", _("State"), _("All states"), NodeState.choices),),
        empty=Empty("server", _("No nodes yet"), _("A node appears here as soon as its agent has started.")),
    )
)
