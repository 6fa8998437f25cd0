"""Datasets and their immutable versions."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.models import Artefact, Project, User


class DatasetKind(models.TextChoices):
    GENERAL = "general", _("General")
    INDUSTRY = "industry", _("Industry")
    PRIVATE = "private", _("Private")
    INSTRUCTION = "instruction", _("Instruction")
    PREFERENCE = "preference", _("Preference")
    EVALUATION = "evaluation", _("Evaluation")


class Dataset(models.Model):
    """A name under which versions stand in line."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=DatasetKind.choices, default=DatasetKind.INSTRUCTION)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="dataset_name_once")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """Rows that never change. Files of the artefact: `data.parquet`, `quarantine.parquet` (bad rows with reasons),
    `report.json` (what was dropped and why)."""

    artefact = models.OneToOneField(Artefact, models.CASCADE, primary_key=True, related_name="dataset_version")
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="versions")
    number = models.IntegerField()
    format = models.CharField(max_length=40)
    """What a row holds: `messages`, `text`, `preference`, `choices` or `table`."""
    source_format = models.CharField(max_length=40, blank=True)
    rows = models.BigIntegerField(default=0)
    rows_in = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    dropped = models.BigIntegerField(default=0)
    columns = models.JSONField(default=list)
    report = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name}:{self.number}"
