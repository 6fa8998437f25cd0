"""What becomes of the results of gpucloud's own kinds, and what search finds of jobs."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.access import Actor
from apps.core.commands import Command
from apps.core.models import Project
from apps.core.services import register_artefact
from apps.gpucloud import selectors, shown
from apps.gpucloud.details import title_of
from apps.gpucloud.handlers import Handler
from apps.gpucloud.models import Attempt, Job
from apps.gpucloud.services.jobs import right_of
from workers.kinds import kinds


class GpucloudHandler(Handler):
    package = "gpucloud"

    def finish(self, job: Job, attempt: Attempt) -> dict[str, Any]:
        """Each output becomes an artefact of its own type, named after the job and the node it ran on."""
        outputs: dict[str, Any] = {}
        for name, output in attempt.outputs.items():
            artefact = register_artefact(
                project=job.project,
                type=output["type"],
                name=job.name or f"{name} {attempt.node.name}",
                manifest=output["manifest"],
                job_id=job.pk,
                created_by=job.created_by,
                meta={**output["meta"], "node": attempt.node.name},
                parents={row.name: row.artefact for row in job.inputs.select_related("artefact")},
            )
            outputs[name] = {"type": artefact.type, "id": str(artefact.pk), "name": artefact.name}
        return outputs


def describe_jobs(ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Name, kind, state and page of the jobs in a lineage graph."""
    rows = Job.objects.filter(pk__in=ids).select_related("project")
    return {
        job.pk: {
            "name": title_of(job),
            "kind": job.kind,
            "state": job.state,
            "url": reverse("gpucloud:job_detail", args=[job.project.slug, job.pk]),
        }
        for job in rows
    }


def find_jobs(actor: Actor, project: Project, query: str) -> list[tuple[str, str, str]]:
    """Jobs whose name, kind or id fits, newest first."""
    found = selectors.filter_jobs(selectors.list_jobs(actor, project), query=query)[:8]
    return [(str(job), reverse("gpucloud:job_detail", args=[project.slug, job.pk]), _("Job")) for job in found]


def start_commands(actor: Actor, project: Project) -> Iterable[Command]:
    """One line of the command palette for every kind of job this actor may start; serving starts with a deployment."""
    for name in kinds.names():
        kind = kinds.get(name)
        if not kind.service and actor.may(right_of(kind), project):
            url = reverse("gpucloud:job_create", args=[project.slug, name])
            yield Command(shown.kind_label(name), url, "start", "play", f"{name} {kind.label}")
