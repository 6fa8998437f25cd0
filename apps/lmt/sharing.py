"""Tuning on what another project shares: its data, and its models as a base."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.artefact_types import Use
from apps.core.models import Artefact, Project
from apps.datasets.models import DatasetVersion


def _on_data(project: Project, artefact: Artefact) -> str:
    """As on the page of one's own: conversations can be learned from at once."""
    fits = DatasetVersion.objects.filter(pk=artefact.pk, format="messages").exists()
    return reverse("lmt:run_create", args=[project.slug]) + f"?dataset={artefact.pk}" if fits else ""


def _from_model(project: Project, artefact: Artefact) -> str:
    return reverse("lmt:run_create", args=[project.slug]) + f"?model={artefact.pk}"


USES = {
    "dataset_version": Use(_("Fine-tune"), "sliders-horizontal", _on_data),
    "model_version": Use(_("Fine-tune"), "sliders-horizontal", _from_model),
}
