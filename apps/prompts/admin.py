"""The operators' view of prompts: to look and search; versions never change."""

from typing import ClassVar

from django.contrib import admin

from apps.core.desk import ReadOnly
from apps.prompts.models import Prompt, PromptService, PromptVersion


@admin.register(Prompt)
class PromptAdmin(ReadOnly):
    list_display: ClassVar = ["name", "project", "created_by", "updated_at"]
    list_filter: ClassVar = ["project"]
    search_fields: ClassVar = ["name", "description"]
    list_select_related: ClassVar = ["project", "created_by"]


@admin.register(PromptVersion)
class PromptVersionAdmin(ReadOnly):
    list_display: ClassVar = ["prompt", "number", "deployment", "note", "created_by", "created_at"]
    list_filter: ClassVar = ["prompt__project"]
    search_fields: ClassVar = ["prompt__name", "note"]
    list_select_related: ClassVar = ["prompt", "deployment", "created_by"]


@admin.register(PromptService)
class PromptServiceAdmin(ReadOnly):
    list_display: ClassVar = ["name", "project", "version", "enabled", "updated_at"]
    list_filter: ClassVar = ["enabled", "project"]
    search_fields: ClassVar = ["name"]
    list_select_related: ClassVar = ["project", "version__prompt"]
