"""How a model version or an evaluation is shown, and what can be done with it, where it is shared."""

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.artefact_types import Use
from apps.core.models import Artefact, Project
from apps.core.templatetags.ui import compact, fixed, percent
from apps.lms.models import Evaluation, ModelVersion

EVALUATION_FILES: frozenset[str] = frozenset()
"""The answers to single questions quote the benchmark, which is not shared with them."""


def facts(artefact: Artefact) -> list[tuple[str, str]]:
    """Of the version alone: not how good it was found to be, nor what it came from."""
    version = ModelVersion.objects.select_related("model").get(pk=artefact.pk)
    return [
        (gettext("Family"), version.family),
        (gettext("Format"), version.format),
        (gettext("Parameters"), compact(version.parameters)),
        (gettext("Context"), str(version.context_length or "")),
        (gettext("Licence"), version.model.licence),
    ]


def card(artefact: Artefact) -> str:
    return str(ModelVersion.objects.values_list("card", flat=True).get(pk=artefact.pk))


def _evaluate(project: Project, artefact: Artefact) -> str:
    return reverse("lms:evaluation_create", args=[project.slug]) + f"?model={artefact.pk}"


def _deploy(project: Project, artefact: Artefact) -> str:
    """An adapter alone answers nothing."""
    whole = ModelVersion.objects.filter(pk=artefact.pk).exclude(format="adapter").exists()
    return reverse("lms:deployment_create", args=[project.slug]) + f"?model={artefact.pk}" if whole else ""


USES = (Use(_("Evaluate"), "gauge", _evaluate), Use(_("Deploy"), "rocket", _deploy, "deploy"))


def evaluation_facts(artefact: Artefact) -> list[tuple[str, str]]:
    """What was measured, on what, and how it came out in all."""
    found = Evaluation.objects.select_related("model_version__model").get(pk=artefact.pk)
    version = found.model_version
    return [
        (gettext("Model"), str(version) if version.model.project_id == artefact.project_id else ""),
        (gettext("Measured on"), found.suite or gettext("Held-out rows")),
        (gettext("Questions"), str(sum(score["n"] for score in found.scores.values()) or "")),
        (gettext("Accuracy"), percent(found.mean)),
        (gettext("Held-out loss"), fixed(found.loss) if found.loss is not None else ""),
    ]


def evaluation_scores(artefact: Artefact) -> str:
    """Accuracy by subject with its standard error, a line each."""
    scores = Evaluation.objects.values_list("scores", flat=True).get(pk=artefact.pk)
    lines = [(subject, percent(score["acc"]), percent(score["acc_stderr"])) for subject, score in scores.items()]
    return "\n".join(f"{subject}: {accuracy} ± {error}" for subject, accuracy, error in lines)
