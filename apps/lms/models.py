"""The model store, evaluations, deployments and their instances, usage and the gateway's snapshot."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.models import ApiKey, Artefact, Project, User
from apps.gpucloud.models import Job


class Model(models.Model):
    """A name in the model store under which versions stand in line."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="models")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    licence = models.CharField(max_length=80, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="model_name_once")]

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """Weights that never change: safetensors with config and tokenizer, or an adapter beside its base."""

    artefact = models.OneToOneField(Artefact, models.CASCADE, primary_key=True, related_name="model_version")
    model = models.ForeignKey(Model, models.CASCADE, related_name="versions")
    number = models.IntegerField()
    family = models.CharField(max_length=40, blank=True)
    format = models.CharField(max_length=40)
    """`safetensors`, `gguf` or `adapter`."""
    parameters = models.BigIntegerField(default=0)
    dtype = models.CharField(max_length=20, blank=True)
    context_length = models.IntegerField(null=True)
    base = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="derived")
    card = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["model", "number"], name="model_version_number_once")]

    def __str__(self) -> str:
        return f"{self.model.name}:{self.number}"


class Evaluation(models.Model):
    """What an `lms.evaluate` job found. State and progress are the job's. The artefact holds the answers to single
    questions."""

    artefact = models.OneToOneField(Artefact, models.CASCADE, primary_key=True, related_name="evaluation")
    job = models.ForeignKey(Job, models.CASCADE, related_name="evaluations")
    model_version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="evaluations")
    suite = models.CharField(max_length=120, blank=True)
    scores = models.JSONField(default=dict)
    """{subject: {"acc", "acc_stderr", "n"}}."""
    mean = models.FloatField(null=True)
    loss = models.FloatField(null=True)
    """Held-out loss in nats per token of the answers."""
    answers = models.JSONField(default=list)
    """[{"prompt", "answer"}]: greedy answers to sample prompts."""
    created_at = models.DateTimeField(auto_now_add=True)


class DeploymentState(models.TextChoices):
    STARTING = "starting", _("Starting")
    READY = "ready", _("Ready")
    DEGRADED = "degraded", _("Degraded")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")


class Deployment(models.Model):
    """A name behind the gateway. Its instances are `lms.serve` jobs, or an external endpoint that speaks OpenAI."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="deployments")
    name = models.SlugField(max_length=80)
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, null=True, related_name="deployments")
    runtime = models.CharField(max_length=30, default="auto")
    runtime_params = models.JSONField(default=dict)
    external_url = models.URLField(blank=True)
    external_model = models.CharField(max_length=200, blank=True)
    """The name the endpoint knows the model by; empty: the deployment's."""
    external_key = models.TextField(blank=True)
    """Encrypted with a key derived from SECRET_KEY."""
    replicas = models.IntegerField(default=1)
    wanted = models.BooleanField(default=True)
    """False once someone stopped it."""
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="deployment_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Instance(models.Model):
    """One running engine of a deployment: its job, where it listens, and the random key it wants."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="instances")
    job = models.OneToOneField(Job, models.CASCADE, related_name="instance")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+")
    attempt = models.IntegerField(default=0)
    """Number of the attempt that said `ready` last; a newer attempt of the job is not ready yet."""
    url = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=100)
    runtime = models.CharField(max_length=30, blank=True)
    ready_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["deployment"], name="instance_live", condition=Q(stopped_at__isnull=True))
        ]


class Usage(models.Model):
    """The ledger: one row per answer, unique by response id. This is the bill."""

    response_id = models.CharField(primary_key=True, max_length=80)
    project = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    deployment = models.ForeignKey(Deployment, models.SET_NULL, null=True, related_name="usage")
    model = models.CharField(max_length=200)
    prompt_tokens = models.IntegerField(default=0)
    cached_tokens = models.IntegerField(default=0)
    completion_tokens = models.IntegerField(default=0)
    ttft_ms = models.FloatField(null=True)
    duration_ms = models.FloatField(null=True)
    status = models.IntegerField(default=200)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-at"], name="usage_project_at"),
            models.Index(fields=["deployment", "-at"], name="usage_deployment_at"),
        ]


class Feedback(models.Model):
    """A user's opinion of one answer."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    response_id = models.CharField(max_length=80, db_index=True)
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    score = models.FloatField()
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)


class GatewaySnapshot(models.Model):
    """All the gateway needs to know, as one row: routes, key hashes, limits. `version` grows with every change."""

    id = models.IntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=0)
    body = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="gateway_snapshot_one_row")]
