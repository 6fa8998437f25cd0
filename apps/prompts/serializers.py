"""Shape of prompts on the wire. Whatever is not listed as writable is ignored when it comes in."""

from typing import Any, ClassVar

from rest_framework import serializers

from apps.prompts.models import Prompt, PromptService, PromptVersion


class PromptSerializer(serializers.ModelSerializer):
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    newest = serializers.IntegerField(read_only=True, allow_null=True, default=None)

    class Meta:
        model = Prompt
        fields: ClassVar = ["id", "project", "name", "description", "newest", "created_at", "updated_at"]
        read_only_fields: ClassVar = ["id", "created_at", "updated_at"]
        extra_kwargs: ClassVar = {"name": {"validators": []}}


class PromptVersionSerializer(serializers.ModelSerializer):
    """messages: [{"role", "content"}]; variables: [{"name", "type", "label", "required", "default", "primary",
    "choices"}], left out to declare what the messages use; deployment: a name; settings: temperature, top_p,
    max_tokens, stop."""

    id = serializers.UUIDField(source="pk", read_only=True)
    project = serializers.SlugRelatedField(source="prompt.project", slug_field="slug", read_only=True)
    prompt = serializers.CharField(source="prompt_id", help_text="Id or name of the prompt.")
    prompt_name = serializers.CharField(source="prompt.name", read_only=True)
    messages = serializers.JSONField()
    variables = serializers.JSONField(required=False, allow_null=True)
    deployment = serializers.CharField(source="deployment.name", required=False, allow_null=True, allow_blank=True)
    settings = serializers.JSONField(required=False)
    sha256 = serializers.CharField(source="artefact.sha256", read_only=True)

    class Meta:
        model = PromptVersion
        fields: ClassVar = [
            "id", "project", "prompt", "prompt_name", "number", "messages", "variables", "deployment", "settings",
            "note", "sha256", "created_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = ["number", "created_at"]

    def to_representation(self, version: PromptVersion) -> dict[str, Any]:
        """A version without deployment has null there, not no field."""
        return {
            **super().to_representation(version),
            "deployment": version.deployment.name if version.deployment else None,
        }


class PublishSerializer(serializers.Serializer):
    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)


class TestSerializer(serializers.Serializer):
    """deployment: another one than the version's."""

    inputs = serializers.DictField(required=False, default=dict)
    deployment = serializers.CharField(required=False, default="", allow_blank=True)


class AnswerSerializer(serializers.Serializer):
    messages = serializers.JSONField()
    text = serializers.CharField()
    usage = serializers.JSONField()
    response_id = serializers.CharField()
    duration_ms = serializers.FloatField()


class PromptServiceSerializer(serializers.ModelSerializer):
    """A service is made by `POST prompt-versions/{id}/publish/`; here it is enabled, switched and deleted."""

    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    model = serializers.SerializerMethodField()
    prompt = serializers.CharField(source="version.prompt.name", read_only=True)
    version = serializers.UUIDField(source="version_id", required=False)
    version_number = serializers.IntegerField(source="version.number", read_only=True)
    deployment = serializers.CharField(source="version.deployment.name", read_only=True, default=None)
    variables = serializers.JSONField(source="version.variables", read_only=True)

    class Meta:
        model = PromptService
        fields: ClassVar = [
            "id", "project", "name", "model", "prompt", "version", "version_number", "deployment", "variables",
            "enabled", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = ["id", "name", "created_at", "updated_at"]

    def get_model(self, service: PromptService) -> str:
        return f"prompt/{service.name}"
