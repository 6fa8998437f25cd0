"""Evaluations, and what two of them say about two versions."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Artefact, Project
from apps.core.selectors import as_uuid
from apps.lms.models import Evaluation, ModelVersion

LOSS_MARGIN = 0.01
"""A held-out loss carries no error bar here; what is less than one in a hundred is not called worse."""


def count_evaluations(project: Project) -> int:
    return Evaluation.objects.filter(artefact__project=project).count()


def list_evaluations(actor: Actor) -> QuerySet[Evaluation]:
    return (
        Evaluation.objects.filter(artefact__project__in=actor.projects())
        .select_related("model_version__model", "artefact__project", "job")
        .order_by("-pk")
    )


def get_evaluation(actor: Actor, project: Project, id: str | UUID) -> Evaluation:
    known = as_uuid(id)
    found = list_evaluations(actor).filter(artefact__project=project, pk=known).first() if known else None
    if found is None:
        raise NotFound(_("There is no such evaluation."))
    return found


def held_out(evaluation: Evaluation) -> Artefact | None:
    """The dataset whose rows the loss was measured on."""
    row = evaluation.job.inputs.filter(name="dataset").select_related("artefact").first()
    return row.artefact if row and evaluation.loss is not None else None


def find_evaluation(project: Project, ref: str) -> Artefact | None:
    return Artefact.objects.filter(project=project, type="evaluation", name=ref).order_by("-id").first()


def evaluation_url(artefact: Artefact) -> str:
    return reverse("lms:evaluation_detail", args=[artefact.project.slug, artefact.pk])


@dataclass(frozen=True)
class Row:
    """One subject of one or two evaluations. change: second minus first, in accuracy."""

    subject: str
    first: dict[str, Any] | None
    second: dict[str, Any] | None

    @property
    def change(self) -> float | None:
        return self.second["acc"] - self.first["acc"] if self.first and self.second else None

    @property
    def significant(self) -> bool:
        """The change is larger than chance explains at 95 %: both standard errors combined."""
        if self.change is None or self.first is None or self.second is None:
            return False
        error = (self.first.get("acc_stderr") or 0) ** 2 + (self.second.get("acc_stderr") or 0) ** 2
        return abs(self.change) > 1.96 * error**0.5


def compare(first: Evaluation, second: Evaluation | None = None) -> list[Row]:
    """Subjects of one evaluation, or of two side by side."""
    others = second.scores if second else {}
    subjects = [*first.scores, *(subject for subject in others if subject not in first.scores)]
    return [Row(subject, first.scores.get(subject), others.get(subject)) for subject in subjects]


def compare_answers(first: Evaluation, second: Evaluation | None = None) -> list[dict[str, str]]:
    """[{"prompt", "first", "second"}]: greedy answers to the same prompts."""
    others = {row.get("prompt"): row.get("answer", "") for row in second.answers} if second else {}
    return [
        {"prompt": row.get("prompt", ""), "first": row.get("answer", ""), "second": others.get(row.get("prompt"), "")}
        for row in first.answers
    ]


def before_after(actor: Actor, version: ModelVersion) -> list[dict[str, Any]]:
    """For every suite that this version and the one it was made from were both measured on: the newest of each."""
    if version.base_id is None:
        return []
    here = list_evaluations(actor).filter(artefact__project=version.artefact.project_id)
    both = here.filter(model_version__in=[version.pk, version.base_id])
    newest: dict[str, dict[UUID, Evaluation]] = {}
    for evaluation in both:
        newest.setdefault(evaluation.suite, {}).setdefault(evaluation.model_version_id, evaluation)
    return [
        {"suite": suite, "before": found[version.base_id], "after": found[version.pk]}
        for suite, found in newest.items()
        if len(found) == 2
    ]


def evaluation_before(evaluation: Evaluation) -> Evaluation | None:
    """The newest one of the same project on the same suite of the version before, else of the one it was tuned from."""
    version = evaluation.model_version
    same = Evaluation.objects.filter(artefact__project=evaluation.artefact.project_id, suite=evaluation.suite)
    rows = same.select_related("model_version__model").order_by("-model_version__number", "-pk")
    earlier = rows.filter(model_version__model=version.model_id, model_version__number__lt=version.number).first()
    return earlier or rows.filter(model_version=version.base_id).first()


def is_worse(before: Evaluation, after: Evaluation) -> bool:
    """Some subject lost more accuracy than chance explains while the mean fell, or the held-out loss has grown."""
    lower = before.mean is not None and after.mean is not None and after.mean < before.mean
    if lower and any(row.significant and (row.change or 0) < 0 for row in compare(before, after)):
        return True
    return before.loss is not None and after.loss is not None and after.loss > before.loss * (1 + LOSS_MARGIN)


def comparable(evaluation: Evaluation, actor: Actor) -> QuerySet[Evaluation]:
    """Other evaluations of the project on the same suite."""
    same = list_evaluations(actor).filter(artefact__project=evaluation.artefact.project_id, suite=evaluation.suite)
    return same.exclude(pk=evaluation.pk)
