"""Writes of lmt: a tuning run starts, and what it made goes into the model store."""

from typing import Any

from apps.core.access import Actor
from apps.core.models import Project
from apps.gpucloud.models import Attempt, Job
from apps.gpucloud.services import submit_job
from apps.lms.models import ModelVersion
from apps.lms.services import register_model_version


def start_run(actor: Actor, project: Project, kind: str, params: dict[str, Any]) -> Job:
    """Queue a tuning run under the name of the model it will make. Raises NotAllowed or InvalidInput."""
    return submit_job(actor, project, kind, params, name=str(params.get("name", "")))


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
