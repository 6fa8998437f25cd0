"""The operators' desk for datasets: look and search; versions never change."""

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.datasets.models import Dataset, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(ModelAdmin):
    list_display: ClassVar = ("name", "project", "kind", "created_by", "created_at")
    list_filter: ClassVar = ("kind", "project")
    search_fields: ClassVar = ("name", "description", "project__name")
    list_select_related: ClassVar = ("project", "created_by")
    readonly_fields: ClassVar = ("id", "project", "created_by", "created_at")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ModelAdmin):
    list_display: ClassVar = ("__str__", "format", "rows", "quarantined", "dropped", "created_at")
    list_filter: ClassVar = ("format", "source_format")
    search_fields: ClassVar = ("dataset__name", "artefact__sha256")
    list_select_related: ClassVar = ("dataset",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DatasetVersion | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DatasetVersion | None = None) -> bool:
        return False
