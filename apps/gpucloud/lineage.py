"""Jobs in lineage graphs: shown when the graph is asked for around one, between what it read and what it made."""

from collections.abc import Collection
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.lineage import ByType, Link, Node, Relation
from apps.core.models import Artefact
from apps.gpucloud.models import Job, JobInput, JobState
from apps.gpucloud.shown import title_of


def nodes(ids: Collection[UUID]) -> list[Node]:
    return [
        Node(
            "job", row.pk, title_of(row), "", row.project,
            reverse("gpucloud:job_detail", args=[row.project.slug, row.pk]),
            state=row.state, state_label=str(JobState(row.state).label), created_at=row.created_at,
        )
        for row in Job.objects.filter(pk__in=ids).select_related("project")
    ]  # fmt: skip


def links(way: str, by_type: ByType) -> list[Link]:
    """Only around jobs that are asked for: else every artefact would drag all its readers along."""
    ids = by_type.get("job", ())
    if way == "up":
        rows = JobInput.objects.filter(job__in=ids).values_list("artefact_id", "job_id", "name")
        return [Link(artefact, job, name, job) for artefact, job, name in rows]
    made = Artefact.objects.filter(job_id__in=ids).values_list("job_id", "pk", "type")
    return [Link(job, artefact, type, job) for job, artefact, type in made if job is not None]


JOBS = Relation("job", _("job"), "list-checks", nodes, links, final=True, walked=False)
