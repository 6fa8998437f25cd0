"""Writes of lmt: a tuning run starts, and what it made goes into the model store."""

from typing import Any

from django.db import transaction

from apps.core.access import Actor
from apps.core.models import Project
from apps.core.services import register_artefact
from apps.core.storage import storage
from apps.gpucloud.models import Attempt, Checkpoint, Job
from apps.gpucloud.services import submit_job
from apps.lms.models import ModelVersion
from apps.lms.services import register_model_version

MODEL_FILES = (".safetensors", ".json", ".txt", ".jinja", ".model")
"""What of a checkpoint makes a model; the rest is the state of the training, some of it pickled."""


def start_run(actor: Actor, project: Project, kind: str, params: dict[str, Any]) -> Job:
    """Queue a tuning run under the name of the model it will make. Raises NotAllowed or InvalidInput."""
    return submit_job(actor, project, kind, params, name=str(params.get("name", "")))


@transaction.atomic
def publish_checkpoint(actor: Actor, run: Job, checkpoint: Checkpoint, name: str) -> Job:
    """Keep the model in a checkpoint as an artefact, and start the job that makes a version of it. Raises NotAllowed,
    NotFound when a file is gone, InvalidInput for a name that is none."""
    actor.require("run_simple", run.project)
    manifest = {path: entry for path, entry in checkpoint.manifest.items() if path.endswith(MODEL_FILES)}
    storage().keep_checkpoint(run.pk, checkpoint.step, manifest)
    parents = {row.name: row.artefact for row in run.inputs.select_related("artefact")}
    artefact = register_artefact(
        project=run.project,
        type="checkpoint",
        name=f"{run.name or run.kind} · {checkpoint.step}",
        manifest=manifest,
        job_id=run.pk,
        created_by=actor.user,
        meta={"step": checkpoint.step, "values": checkpoint.values},
        parents=parents,
    )
    params = {"model": str(parents["model"].pk), "checkpoint": str(artefact.pk), "name": name}
    return submit_job(actor, run.project, "lms.publish", params, name=name)


def register_results(job: Job, attempt: Attempt) -> dict[str, Any]:
    """Every model a run made becomes a version: the whole one under the run's name, an adapter beside it.

    Returns {output: {"type", "id", "name", "version"}}.
    """
    base_row = job.inputs.filter(name="model").first()
    base = ModelVersion.objects.filter(pk=base_row.artefact_id).first() if base_row else None
    outputs: dict[str, Any] = {}
    for output_name, output in sorted(attempt.outputs.items()):
        if output["type"] != "model_version":
            continue
        name = job.params["name"] if output_name == "model" else f"{job.params['name']}-{output_name}"
        version = register_model_version(job.project, name, output, job, base=base)
        outputs[output_name] = {
            "type": "model_version",
            "id": str(version.pk),
            "name": version.model.name,
            "version": version.number,
        }
    return outputs
