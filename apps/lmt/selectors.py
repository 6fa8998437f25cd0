"""Reads of lmt. A run has no table of its own: it is a job of a kind `lmt.…` with what went in and what came out."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Artefact, Project
from apps.gpucloud import selectors as jobs
from apps.gpucloud.models import Job, JobState, MetricChunk
from apps.gpucloud.shown import title_of
from apps.lms.models import ModelVersion
from workers.kinds import kinds

PREFIX = "lmt."


def run_kinds() -> tuple[str, ...]:
    """Every way to tune, by name of its job kind."""
    return tuple(name for name in kinds.names() if name.startswith(PREFIX))


def list_runs(actor: Actor, project: Project) -> QuerySet[Job]:
    """Newest first, with the artefacts they read."""
    runs = jobs.list_jobs(actor, project).filter(kind__startswith=PREFIX)
    return runs.prefetch_related("inputs__artefact")


def get_run(actor: Actor, project: Project, id: UUID | str) -> Job:
    """Raises NotFound unless it is a tuning run of the project that the actor may see."""
    job = jobs.get_job(actor, id, project)
    if not job.kind.startswith(PREFIX):
        raise NotFound(_("There is no such run, or you may not see it."))
    return job


def count_tuned(project: Project) -> int:
    return Job.objects.filter(project=project, kind__startswith=PREFIX, state=JobState.SUCCEEDED).count()


@dataclass(frozen=True)
class Story:
    """A run told from end to end: what it read, what it made, and what that was worth."""

    job: Job
    base: Artefact | None
    data: Artefact | None
    made: ModelVersion | None
    adapter: ModelVersion | None
    loss_before: float | None
    loss_after: float | None

    @property
    def change(self) -> float | None:
        """Share of the held-out loss that is gone; negative when it has grown."""
        if not self.loss_before or self.loss_after is None:
            return None
        return (self.loss_before - self.loss_after) / self.loss_before


def tell(runs: list[Job]) -> list[Story]:
    """The stories of runs whose inputs are prefetched, with one query for what they made."""
    ids = [output["id"] for run in runs for output in run.outputs.values() if output.get("type") == "model_version"]
    made = ModelVersion.objects.select_related("model", "base__model", "artefact").in_bulk(ids)
    by_id = {str(key): version for key, version in made.items()}
    return [_story(run, by_id) for run in runs]


def _story(run: Job, made: dict[str, ModelVersion]) -> Story:
    inputs = {row.name: row.artefact for row in run.inputs.all()}
    outputs = {name: made.get(str(output.get("id"))) for name, output in run.outputs.items()}
    return Story(
        job=run,
        base=inputs.get("model"),
        data=inputs.get("dataset"),
        made=outputs.get("model"),
        adapter=outputs.get("adapter"),
        loss_before=run.result.get("loss_before"),
        loss_after=run.result.get("loss_after"),
    )


def begun(story: Story) -> Story:
    """The same with what has been measured so far, while the run has no result yet."""
    if story.loss_before is not None:
        return story
    first = MetricChunk.objects.filter(job=story.job, name="eval_loss", first_step=0).order_by("id").first()
    return replace(story, loss_before=first.values[0]) if first else story


def checkpoint_url(artefact: Artefact) -> str:
    """The charts of the run it was kept from."""
    return reverse("lmt:run_detail", args=[artefact.project.slug, artefact.job_id]) + "?tab=metrics"


def measured(run: Job) -> dict[str, Any]:
    """What a run really took: {"seconds", "memory_mib"}, None where it is not known yet."""
    peak = run.attempts.aggregate(peak=Max("peak_memory_mib"))["peak"]
    seconds = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None
    return {"seconds": seconds, "memory_mib": peak}


def search(actor: Actor, project: Project, query: str) -> list[tuple[str, str, str]]:
    """Runs whose name holds the words, as (label, address, kind)."""
    found = list_runs(actor, project).filter(Q(name__icontains=query) | Q(params__name__icontains=query))[:6]
    return [(title_of(run), reverse("lmt:run_detail", args=[project.slug, run.pk]), _("run")) for run in found]
