"""Tuning on what another project shares: its data, and its models as a base."""

from collections.abc import Callable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.artefact_types import Use
from apps.core.models import Artefact, Project


def _tune(parameter: str) -> Callable[[Project, Artefact], str]:
    return lambda project, artefact: reverse("lmt:run_create", args=[project.slug]) + f"?{parameter}={artefact.pk}"


USES = {
    "dataset_version": Use(_("Fine-tune"), "sliders-horizontal", _tune("dataset")),
    "model_version": Use(_("Fine-tune"), "sliders-horizontal", _tune("model")),
}
