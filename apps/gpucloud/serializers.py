"""Shape of jobs, nodes and devices on the wire."""

from typing import Any, ClassVar

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.gpucloud import costs, selectors, shown
from apps.gpucloud.models import Accelerator, Attempt, Checkpoint, Job, JobState, Node, Quota


class JobSubmitSerializer(serializers.Serializer):
    """A new job. What the kind's own parameters must be is checked against the kind (see `/api/v1/job-kinds/`)."""

    project = serializers.CharField(required=False, help_text="Short name or id; a key's own project is the default.")
    kind = serializers.CharField(max_length=60)
    params = serializers.DictField(required=False, default=dict)
    name = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    resources = serializers.DictField(required=False, default=dict)
    priority = serializers.IntegerField(required=False, default=0)
    seed = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    after = serializers.ListField(child=serializers.UUIDField(), required=False, default=list, max_length=100)
    max_attempts = serializers.IntegerField(required=False, min_value=1, max_value=20, default=None, allow_null=True)


class JobUpdateSerializer(serializers.Serializer):
    """What may be changed of a job: its name, and its place in the queue."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    priority = serializers.IntegerField(required=False)


class JobResumeSerializer(serializers.Serializer):
    """From which checkpoint to go on; later ones are given up then."""

    step = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)


class CheckpointPublishSerializer(serializers.Serializer):
    """Which checkpoint shall become a model, and its name."""

    step = serializers.IntegerField(min_value=0)
    name = serializers.CharField(max_length=120)


class JobCloneSerializer(serializers.Serializer):
    """What shall differ from the job that is cloned."""

    params = serializers.DictField(required=False)
    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    resources = serializers.DictField(required=False)
    priority = serializers.IntegerField(required=False)
    seed = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)


class AttemptSerializer(serializers.ModelSerializer):
    node = serializers.SlugRelatedField(slug_field="name", read_only=True)
    reason = serializers.SerializerMethodField()

    class Meta:
        model = Attempt
        fields: ClassVar = [
            "number", "node", "state", "reason", "exit_code", "peak_memory_mib", "cpu_s", "resumed_from_step",
            "created_at", "started_at", "ended_at",
        ]  # fmt: skip

    def get_reason(self, attempt: Attempt) -> dict[str, Any]:
        return shown.reason(attempt.reason)


class CheckpointSerializer(serializers.ModelSerializer):
    broken = serializers.SerializerMethodField()

    class Meta:
        model = Checkpoint
        fields: ClassVar = ["step", "size_bytes", "values", "broken", "created_at"]

    def get_broken(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.broken_at is not None


class SampleAnswerSerializer(serializers.Serializer):
    question = serializers.CharField()
    expected = serializers.CharField(help_text="What the data answers.")
    answer = serializers.CharField()


class SampleSerializer(serializers.Serializer):
    step = serializers.IntegerField()
    answers = SampleAnswerSerializer(many=True)


class SamplesSerializer(serializers.Serializer):
    """Texts of a model: show them as text, never as markup."""

    samples = SampleSerializer(many=True)


class ReasonSerializer(serializers.Serializer):
    """Why a job waits or how it ended, in words; empty when there is nothing to say."""

    code = serializers.CharField(required=False)
    message = serializers.CharField(required=False)
    hint = serializers.CharField(required=False, help_text="What to do next.")
    data = serializers.DictField(required=False)


class ProgressSerializer(serializers.Serializer):
    """How far it is; empty until it says something."""

    done = serializers.FloatField(required=False, allow_null=True)
    total = serializers.FloatField(required=False, allow_null=True)
    unit = serializers.CharField(required=False)
    message = serializers.CharField(required=False)
    eta_s = serializers.FloatField(required=False, allow_null=True)


class CostSerializer(serializers.Serializer):
    """What its leases have held so far, and the price of that; null where the installation has set none."""

    core_hours = serializers.FloatField()
    accelerator_hours = serializers.FloatField()
    amount = serializers.FloatField(allow_null=True)
    currency = serializers.CharField(allow_null=True)


class Live(serializers.Field):
    """One of the values of `shown.live`, which pages and events tell in the same words."""

    def __init__(self) -> None:
        super().__init__(source="*", read_only=True)

    def to_representation(self, job: Job) -> Any:
        return self.parent.live[self.field_name]  # type: ignore[union-attr]


def live(like: Any) -> Live:
    """A value of `shown.live`; `like` describes it in the schema."""
    return extend_schema_field(like)(type("Live", (Live,), {}))()  # type: ignore[no-any-return]


class JobSerializer(serializers.ModelSerializer):
    """A job as lists show it. `reason` says in words why it waits or how it ended."""

    id = live(serializers.UUIDField())
    state = live(serializers.ChoiceField(JobState.choices))
    state_label = live(serializers.CharField(help_text="In the language of the request."))
    reason = live(ReasonSerializer())
    reason_text = live(serializers.CharField())
    progress = live(ProgressSerializer())
    eta_s = live(serializers.FloatField(allow_null=True))
    metrics = live(
        serializers.DictField(child=serializers.FloatField(allow_null=True), help_text="The last of every series.")
    )
    attempt = live(serializers.IntegerField(help_text="How many attempts there were."))
    outputs = live(serializers.DictField(help_text='By name: {"type", "id", "name"}.'))
    started_at = live(serializers.DateTimeField(allow_null=True))
    ended_at = live(serializers.DateTimeField(allow_null=True))
    duration_s = live(serializers.FloatField(allow_null=True))
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    kind_label = serializers.SerializerMethodField()
    cost = serializers.SerializerMethodField()
    created_by = serializers.SlugRelatedField(slug_field="email", read_only=True, allow_null=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields: ClassVar = [
            "id", "state", "state_label", "reason", "reason_text", "progress", "eta_s", "metrics", "attempt", "outputs",
            "started_at", "ended_at", "duration_s", "cost",
            "project", "kind", "kind_label", "name", "params", "resources", "seed", "priority", "service",
            "max_attempts", "cancel_requested_at", "cloned_from", "reproduces", "created_by", "created_at",
            "queued_at", "url",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields

    def get_kind_label(self, job: Job) -> str:
        return shown.kind_label(job.kind)

    @extend_schema_field(CostSerializer)
    def get_cost(self, job: Job) -> dict[str, Any]:
        return costs.of_job(job).as_dict()

    def get_url(self, job: Job) -> str:
        return reverse("gpucloud:job_detail", args=[job.project.slug, job.pk])

    def to_representation(self, job: Job) -> dict[str, Any]:
        self.live = shown.live(job)
        return super().to_representation(job)


class JobDetailSerializer(JobSerializer):
    """A job with its inputs, attempts and checkpoints."""

    class Meta(JobSerializer.Meta):
        fields: ClassVar = [
            *JobSerializer.Meta.fields, "result", "inputs", "after", "attempts", "checkpoints",
            "reproduction", "reproductions",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields

    inputs = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField()
    checkpoints = serializers.SerializerMethodField()
    reproduction = serializers.SerializerMethodField()
    reproductions = serializers.SerializerMethodField()

    def get_reproduction(self, job: Job) -> dict[str, Any] | None:
        """Whether it came out as the job it reproduces: verdict, where they part, tolerance, what was compared."""
        return shown.match(job)

    def get_reproductions(self, job: Job) -> list[dict[str, Any]]:
        """Jobs that repeated this one, newest first, each with its verdict."""
        return [
            {"id": str(row.pk), "state": row.state, "verdict": (shown.match(row) or {}).get("verdict")}
            for row in selectors.list_reproductions(job)
        ]

    def get_inputs(self, job: Job) -> dict[str, Any]:
        return {
            name: {"type": artefact.type, "id": str(artefact.pk), "name": artefact.name, "url": url}
            for name, artefact, url in selectors.list_inputs(job)
        }

    def get_attempts(self, job: Job) -> list[dict[str, Any]]:
        return list(AttemptSerializer(selectors.list_attempts(job), many=True).data)

    def get_checkpoints(self, job: Job) -> list[dict[str, Any]]:
        return list(CheckpointSerializer(selectors.list_checkpoints(job), many=True).data)


class AcceleratorSerializer(serializers.ModelSerializer):
    node = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Accelerator
        fields: ClassVar = [
            "id", "node", "vendor", "index", "uuid", "model", "memory_total_mib", "memory_used_mib", "utilisation_pct",
            "temperature_c", "power_w", "health", "driver", "seen_at",
        ]  # fmt: skip


class NodeSerializer(serializers.ModelSerializer):
    accelerators = AcceleratorSerializer(many=True, read_only=True)

    class Meta:
        model = Node
        fields: ClassVar = [
            "id", "name", "pool", "labels", "state", "cpus", "memory_mib", "disk_free_mib", "load", "heartbeat_at",
            "joined_at",
            "accelerators",
        ]  # fmt: skip


class QuotaUseSerializer(serializers.Serializer):
    """What the project's running jobs and services hold now."""

    accelerators = serializers.IntegerField()
    cpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField(help_text="Promised; what promises nothing adds nothing.")
    running_jobs = serializers.IntegerField()


class QuotaSerializer(serializers.ModelSerializer):
    """The most that a project may hold at once; null is no limit."""

    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    used = QuotaUseSerializer(read_only=True)

    class Meta:
        model = Quota
        fields: ClassVar = ["id", "project", *Quota.LIMITS, "used", "updated_at"]
        read_only_fields: ClassVar = fields
