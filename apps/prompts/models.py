"""Prompts, their immutable versions, and services published from them."""

from typing import ClassVar

from django.db import models

from apps.core.ids import uuid7
from apps.core.models import Artefact, Project, User
from apps.lms.models import Deployment


class Prompt(models.Model):
    """A name under which versions stand in line; the draft is what the editor shows."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="prompts")
    name = models.SlugField(max_length=80)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="prompt_name_once")]

    def __str__(self) -> str:
        return self.name


class PromptVersion(models.Model):
    """A template that never changes. messages: [{"role", "content"}] with `{{ variable }}` places; variables:
    [{"name", "type", "label", "required", "default", "primary"}]."""

    artefact = models.OneToOneField(Artefact, models.CASCADE, primary_key=True, related_name="prompt_version")
    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="versions")
    number = models.IntegerField()
    messages = models.JSONField()
    variables = models.JSONField(default=list)
    deployment = models.ForeignKey(Deployment, models.PROTECT, null=True, related_name="+")
    settings = models.JSONField(default=dict)
    """temperature, max_tokens, top_p, stop."""
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["prompt", "number"], name="prompt_version_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.prompt.name}:{self.number}"


class PromptService(models.Model):
    """A published version: model `prompt/<name>` at the gateway, an API route, and a chat page."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="prompt_services")
    name = models.SlugField(max_length=80, unique=True)
    version = models.ForeignKey(PromptVersion, models.PROTECT, related_name="services")
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
