"""How models, evaluations and deployments look to HTTP clients."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.serializers import SharedFields
from apps.lms import selectors
from apps.lms.models import Deployment, Evaluation, Model, ModelVersion


class ModelSerializer(serializers.ModelSerializer):
    project = serializers.SlugRelatedField("slug", read_only=True)
    newest = serializers.IntegerField(read_only=True, allow_null=True)
    version_count = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Model
        fields = ("id", "project", "name", "description", "licence", "newest", "version_count", "created_at")
        read_only_fields = ("name",)


class ModelVersionSerializer(SharedFields):
    around = ("job", "base", "model", "meta")
    id = serializers.UUIDField(source="pk", read_only=True)
    project = serializers.CharField(source="model.project.slug", read_only=True)
    model = serializers.UUIDField(source="model_id", read_only=True)
    model_name = serializers.CharField(source="model.name", read_only=True)
    licence = serializers.CharField(source="model.licence", read_only=True)
    base = serializers.UUIDField(source="base_id", read_only=True, allow_null=True)
    sha256 = serializers.CharField(source="artefact.sha256", read_only=True)
    size_bytes = serializers.IntegerField(source="artefact.size_bytes", read_only=True)
    meta = serializers.JSONField(source="artefact.meta", read_only=True)
    job = serializers.UUIDField(source="artefact.job_id", read_only=True, allow_null=True)

    class Meta:
        model = ModelVersion
        fields = (
            "id", "project", "model", "model_name", "number", "family", "format", "parameters", "dtype",
            "context_length", "base", "licence", "card", "sha256", "size_bytes", "meta", "job", "created_at",
        )  # fmt: skip
        read_only_fields = tuple(name for name in fields if name != "card")


class EvaluationSerializer(serializers.ModelSerializer):
    id = serializers.UUIDField(source="pk", read_only=True)
    project = serializers.CharField(source="artefact.project.slug", read_only=True)
    model_version = serializers.UUIDField(source="model_version_id", read_only=True)
    model = serializers.CharField(source="model_version.__str__", read_only=True)
    job = serializers.UUIDField(source="job_id", read_only=True)

    class Meta:
        model = Evaluation
        fields = (
            "id", "project", "model_version", "model", "job", "suite", "scores", "mean", "loss", "answers",
            "created_at",
        )  # fmt: skip


class EvaluationCreateSerializer(serializers.Serializer):
    """`model`, `suite` and so on: the parameters of job kind `lms.evaluate`."""

    params = serializers.JSONField(required=False)
    name = serializers.CharField(required=False, allow_blank=True, max_length=200)


class InstanceSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    job = serializers.UUIDField()
    state = serializers.CharField()


class DeploymentSerializer(serializers.ModelSerializer):
    """What has a default here and no column is filled in by `to_representation`."""

    project = serializers.SlugRelatedField("slug", read_only=True)
    name = serializers.CharField(max_length=200)
    model = serializers.CharField(required=False, allow_blank=True)
    runtime = serializers.CharField(required=False, max_length=30)
    external_key = serializers.CharField(required=False, allow_blank=True, write_only=True, max_length=500)
    external_url = serializers.CharField(required=False, allow_blank=True, max_length=200)
    external_model = serializers.CharField(required=False, allow_blank=True, max_length=200)
    replicas = serializers.IntegerField(required=False)
    runtime_params = serializers.DictField(required=False)
    model_version = serializers.UUIDField(source="model_version_id", read_only=True, allow_null=True)
    state = serializers.CharField(read_only=True, default="")
    reason = serializers.DictField(read_only=True, default=dict)
    ready_replicas = serializers.IntegerField(read_only=True, default=0)
    base_url = serializers.CharField(read_only=True, default="")
    instances = serializers.SerializerMethodField()

    class Meta:
        model = Deployment
        fields = (
            "id", "project", "name", "model", "runtime", "replicas", "runtime_params", "external_url",
            "external_model", "external_key", "created_at", "updated_at", "model_version", "state", "reason",
            "ready_replicas", "base_url", "instances",
        )  # fmt: skip

    def to_representation(self, deployment: Deployment) -> dict[str, Any]:
        view = selectors.describe(deployment)
        shown = super().to_representation(deployment)
        return shown | {
            "model": view["model"],
            "state": view["state"],
            "reason": view["reason"],
            "runtime": view["runtime"],
            "ready_replicas": view["ready_replicas"],
            "base_url": f"{settings.AIFS_GATEWAY_URL}/v1",
        }

    @extend_schema_field(InstanceSerializer(many=True))
    def get_instances(self, deployment: Deployment) -> list[dict[str, Any]]:
        return [
            {"id": str(row["instance"].pk), "job": str(row["job"].pk), "state": row["state"]}
            for row in selectors.instance_rows(deployment, ended_shown=0)
        ]
