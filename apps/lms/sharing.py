"""How a model version is shown, and what can be done with it, where it is shared."""

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.artefact_types import Use
from apps.core.models import Artefact, Project
from apps.core.templatetags.ui import compact
from apps.lms.models import ModelVersion


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
