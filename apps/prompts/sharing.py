"""How a prompt version is shown where it is shared, and how it becomes a prompt of one's own there."""

import yaml
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.artefact_types import Use
from apps.core.models import Artefact, Project
from apps.prompts.models import PromptVersion


def facts(artefact: Artefact) -> list[tuple[str, str]]:
    version = PromptVersion.objects.get(pk=artefact.pk)
    return [
        (gettext("Variables"), ", ".join(variable["name"] for variable in version.variables)),
        (gettext("Settings"), ", ".join(f"{name}={value}" for name, value in version.settings.items())),
    ]


def text(artefact: Artefact) -> str:
    """As `aifs prompts push` reads it, but for the deployment: that is the other project's."""
    version = PromptVersion.objects.get(pk=artefact.pk)
    body = {"messages": version.messages, "variables": version.variables, "settings": version.settings}
    written: str = yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=110)
    return written


def _copy(project: Project, artefact: Artefact) -> str:
    return reverse("prompts:prompt_create", args=[project.slug]) + f"?from={artefact.pk}"


USES = (Use(_("Copy into this project"), "copy", _copy),)
