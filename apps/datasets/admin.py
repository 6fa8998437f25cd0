"""The operators' desk for datasets: look and search; versions never change."""

from typing import ClassVar

from django.contrib import admin

from apps.core.desk import ReadOnly
from apps.datasets.models import Dataset, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(ReadOnly):
    list_display: ClassVar = ("name", "project", "kind", "created_by", "created_at")
    list_filter: ClassVar = ("kind", "project")
    search_fields: ClassVar = ("name", "description", "project__name")
    list_select_related: ClassVar = ("project", "created_by")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnly):
    list_display: ClassVar = ("__str__", "format", "rows", "quarantined", "dropped", "created_at")
    list_filter: ClassVar = ("format", "source_format")
    search_fields: ClassVar = ("dataset__name", "artefact__sha256")
    list_select_related: ClassVar = ("dataset",)
