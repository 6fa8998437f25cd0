"""What the search of a project finds here."""

from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.models import Project
from apps.lms.selectors.deployments import list_deployments
from apps.lms.selectors.models import list_models


def search(actor: Actor, project: Project, query: str) -> list[tuple[str, str, str]]:
    """Models and deployments whose name holds the words, as (label, address, kind)."""
    models = list_models(actor).filter(project=project, name__icontains=query)[:6]
    deployments = list_deployments(actor).filter(project=project, name__icontains=query)[:6]
    found = [(row.name, reverse("lms:model_detail", args=[project.slug, row.name]), _("model")) for row in models]
    return found + [
        (row.name, reverse("lms:deployment_detail", args=[project.slug, row.name]), _("deployment"))
        for row in deployments
    ]
