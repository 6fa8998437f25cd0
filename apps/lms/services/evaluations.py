"""What an evaluation found becomes a row and an artefact."""

from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.errors import InvalidInput
from apps.core.services import emit, register_artefact
from apps.gpucloud.models import Job
from apps.lms import selectors
from apps.lms.models import Evaluation, ModelVersion
from apps.lms.services.models import job_inputs


@transaction.atomic
def register_evaluation(job: Job, output: dict[str, Any], result: dict[str, Any]) -> Evaluation:
    """output: the artefact with the answers to single questions. result: suite, scores, mean, loss and answers.

    Raises InvalidInput when the job names no model.
    """
    inputs = job_inputs(job)
    version = ModelVersion.objects.filter(pk=inputs["model"].pk).first() if "model" in inputs else None
    if version is None:
        raise InvalidInput("An evaluation needs the model that it is about.")
    suite = str(result.get("suite") or "")
    artefact = register_artefact(
        project=job.project,
        type="evaluation",
        name=job.name or f"{version} · {suite or 'loss'}",
        manifest=output["manifest"],
        job_id=job.pk,
        created_by=job.created_by,
        meta=output.get("meta") or {},
        parents=inputs,
    )
    evaluation = Evaluation.objects.create(
        artefact=artefact,
        job=job,
        model_version=version,
        suite=suite,
        scores=result.get("scores") or {},
        mean=result.get("mean"),
        loss=result.get("loss"),
        answers=result.get("answers") or [],
    )
    _tell_of_regression(evaluation)
    return evaluation


def _tell_of_regression(evaluation: Evaluation) -> None:
    """Who measured, and who owns the model, hear of it when the version before did better on the same."""
    before = selectors.evaluation_before(evaluation)
    if before is None or not selectors.is_worse(before, evaluation):
        return
    version, project = evaluation.model_version, evaluation.job.project
    maker = version.model.created_by if version.model.project_id == project.pk else None
    page = reverse("lms:evaluation_detail", args=[project.slug, evaluation.pk])
    emit(
        "evaluation.regress", project, to={evaluation.job.created_by, maker}, url=f"{page}?with={before.pk}",
        model=str(version), before=str(before.model_version), suite=evaluation.suite or _("Held-out rows"),
    )  # fmt: skip
