"""How a dataset version is shown, and what can be done with it, where it is shared."""

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.artefact_types import Use
from apps.core.models import Artefact, Project
from apps.datasets.models import DatasetVersion

FILES = frozenset({"data.parquet"})
"""Rows in quarantine, rows that cleaning left out or changed and the report about both are of what it was made from."""


def facts(artefact: Artefact) -> list[tuple[str, str]]:
    """Of the version alone: not how many there are, nor what it came from."""
    version = DatasetVersion.objects.select_related("dataset").get(pk=artefact.pk)
    return [
        (gettext("What it is for"), str(version.dataset.get_kind_display())),
        (gettext("Rows"), str(version.rows)),
        (gettext("Columns"), ", ".join(version.columns)),
    ]


def _rows(project: Project, artefact: Artefact) -> str:
    return reverse("datasets:version_rows", args=[project.slug, artefact.pk])


def _clean(project: Project, artefact: Artefact) -> str:
    return reverse("datasets:clean_create", args=[project.slug, artefact.pk])


USES = (Use(_("Read the rows"), "table", _rows, "view"), Use(_("Clean"), "eraser", _clean))
