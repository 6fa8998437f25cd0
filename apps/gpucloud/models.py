"""Nodes and what they hold; jobs, their attempts, and the leases that let them run."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.models import Artefact, Project, User

EMPTY = models.Value({}, models.JSONField())
"""Default in the database itself, for what is added later: older code that still runs can go on inserting rows."""


class NodeState(models.TextChoices):
    READY = "ready", _("Ready")
    CORDONED = "cordoned", _("Cordoned")
    DRAINING = "draining", _("Draining")
    LOST = "lost", _("Lost")


class Node(models.Model):
    """A machine with an agent. Its resources are what the agent last reported."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    pool = models.CharField(max_length=60, default="default")
    labels = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=20, choices=NodeState.choices, default=NodeState.READY)
    cpus = models.IntegerField(default=0)
    memory_mib = models.IntegerField(default=0)
    disk_free_mib = models.BigIntegerField(default=0)
    load = models.FloatField(default=0)
    agent_id = models.UUIDField(null=True)
    """Identity of the agent process that last spoke; a restarted agent has a new one."""
    heartbeat_at = models.DateTimeField(null=True)
    joined_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def lendable_cpus(self) -> int:
        """Cores that leases may add up to: runs seldom use all they ask for, so each is lent more than once."""
        return max(int(self.cpus * settings.AIFS_CPU_OVERCOMMIT), 1)


class Accelerator(models.Model):
    """One device of a node; the processor itself is one, of vendor `cpu`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    node = models.ForeignKey(Node, models.CASCADE, related_name="accelerators")
    vendor = models.CharField(max_length=20)
    index = models.IntegerField()
    uuid = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=120)
    memory_total_mib = models.IntegerField(null=True)
    memory_used_mib = models.IntegerField(null=True)
    utilisation_pct = models.FloatField(null=True)
    temperature_c = models.FloatField(null=True)
    power_w = models.FloatField(null=True)
    health = models.CharField(max_length=40, default="ok")
    driver = models.CharField(max_length=60, blank=True)
    seen_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "vendor", "index"], name="accelerator_once")]


class JobState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    SCHEDULED = "scheduled", _("Scheduled")
    PREPARING = "preparing", _("Preparing")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class Job(models.Model):
    """Everything long. The row is the truth; a message only rings the bell."""

    ACTIVE: ClassVar = (JobState.QUEUED, JobState.SCHEDULED, JobState.PREPARING, JobState.RUNNING, JobState.PAUSED)
    ENDED: ClassVar = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=60)
    name = models.CharField(max_length=200, blank=True)
    params = models.JSONField(default=dict)
    resources = models.JSONField(default=dict)
    """As workers.kinds.Resources: cpus, memory_mib, accelerators, vendor."""
    seed = models.IntegerField(default=42)
    priority = models.IntegerField(default=0)
    """Higher runs first."""
    service = models.BooleanField(default=False)
    state = models.CharField(max_length=20, choices=JobState.choices, default=JobState.QUEUED)
    reason = models.JSONField(default=dict, blank=True)
    """Why it waits or how it ended: {"code", "message", "hint", "data"}; message and hint are marked texts."""
    progress = models.JSONField(default=dict, blank=True)
    """{"done", "total", "unit", "message", "data", "eta_s"}."""
    metrics = models.JSONField(default=dict, blank=True)
    """Last value of every series."""
    result = models.JSONField(default=dict, blank=True)
    outputs = models.JSONField(default=dict, blank=True)
    """What `finish` registered: {name: {"type", "id", "name"}}."""
    max_attempts = models.IntegerField(default=3)
    attempt_count = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)
    """Attempts since the last start by hand that ended badly; planned stops do not count."""
    not_before = models.DateTimeField(null=True, blank=True)
    """A pause before the next attempt, so that a job that dies at once does not spin."""
    restarted_at = models.DateTimeField(null=True, blank=True)
    """Set by a retry from the start: older checkpoints are not used."""
    last_seq = models.BigIntegerField(default=0)
    """Sequence number of the newest event of this job."""
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cloned_from = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="clones")
    reproduces = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="reproductions")
    """The job that this one repeats, to see whether the same comes out."""
    match = models.JSONField(default=dict, db_default=EMPTY, blank=True)
    """What came of a reproduction, as `apps/gpucloud/services/reproducing.py` writes it."""
    after = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="before")
    """Jobs that must succeed first."""
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-created_at"], name="job_project_created"),
            models.Index(fields=["project", "name", "id"], name="job_project_name"),
            models.Index(fields=["project", "id"], name="job_project_id"),
            models.Index(fields=["project", "state"], name="job_project_state"),
            models.Index(fields=["project", "priority"], name="job_project_priority"),
            models.Index(fields=["-priority", "queued_at"], name="job_waiting", condition=Q(state=JobState.QUEUED)),
        ]

    def __str__(self) -> str:
        return self.name or str(self.params.get("name") or "") or self.kind


class JobInput(models.Model):
    """An artefact a job reads, under the name of the parameter that points at it."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="inputs")
    name = models.CharField(max_length=60)
    artefact = models.ForeignKey(Artefact, models.PROTECT, related_name="used_by")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "name"], name="job_input_once")]


class AttemptState(models.TextChoices):
    ASSIGNED = "assigned", _("Assigned")
    PREPARING = "preparing", _("Preparing")
    RUNNING = "running", _("Running")
    FINISHING = "finishing", _("Finishing")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    LOST = "lost", _("Lost")


class Attempt(models.Model):
    """One try at a job on one node. `fence` grows with every attempt of the whole installation: what carries an older
    one than the job's newest changes nothing."""

    ACTIVE: ClassVar = (AttemptState.ASSIGNED, AttemptState.PREPARING, AttemptState.RUNNING, AttemptState.FINISHING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="attempts")
    number = models.IntegerField()
    node = models.ForeignKey(Node, models.PROTECT, related_name="attempts")
    fence = models.BigIntegerField()
    state = models.CharField(max_length=20, choices=AttemptState.choices, default=AttemptState.ASSIGNED)
    reason = models.JSONField(default=dict, blank=True)
    run_dir = models.CharField(max_length=500, blank=True)
    events_offset = models.BigIntegerField(default=0)
    """Bytes of events.jsonl already in the database."""
    output_offset = models.BigIntegerField(default=0)
    """Bytes of the child's standard output already in the database."""
    exit_code = models.IntegerField(null=True)
    outputs = models.JSONField(default=dict, blank=True)
    """What the agent put into storage: {name: {"type", "manifest", "sha256", "size_bytes", "meta"}}."""
    result = models.JSONField(default=dict, blank=True)
    environment = models.JSONField(default=dict, db_default=EMPTY, blank=True)
    """What the run itself says it ran on, at its end: {"python", "processor", "threads", "devices", "libraries"}."""
    peak_memory_mib = models.IntegerField(null=True)
    cpu_s = models.FloatField(null=True)
    resumed_from_step = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "number"], name="attempt_number_once"),
            models.UniqueConstraint(fields=["fence"], name="attempt_fence_once"),
            models.UniqueConstraint(
                fields=["job"],
                name="attempt_one_active",
                condition=Q(state__in=["assigned", "preparing", "running", "finishing"]),
            ),
        ]


class Lease(models.Model):
    """Part of a node lent to an attempt: cores and memory, or one accelerator. Freed when `released_at` is set."""

    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="leases")
    node = models.ForeignKey(Node, models.CASCADE, related_name="leases")
    accelerator = models.ForeignKey(Accelerator, models.CASCADE, null=True, related_name="leases")
    cpus = models.IntegerField(default=0)
    memory_mib = models.IntegerField(default=0)
    fence = models.BigIntegerField()
    expires_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["accelerator"],
                name="lease_accelerator_once",
                condition=Q(released_at__isnull=True, accelerator__isnull=False),
            )
        ]
        indexes: ClassVar = [models.Index(fields=["node"], name="lease_live", condition=Q(released_at__isnull=True))]


class Quota(models.Model):
    """The most that a project's running jobs and services may hold at once. Null is no limit, and a project without a
    row has none at all; 0 lets nothing start."""

    LIMITS: ClassVar = ("accelerators", "cpus", "memory_mib", "running_jobs")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.OneToOneField(Project, models.CASCADE, related_name="quota")
    accelerators = models.PositiveIntegerField(null=True, blank=True)
    cpus = models.PositiveIntegerField(null=True, blank=True)
    memory_mib = models.PositiveIntegerField(null=True, blank=True)
    """Of what jobs promise to keep to; one that promises nothing adds nothing."""
    running_jobs = models.PositiveIntegerField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    used: dict[str, int]
    lasting: dict[str, int]
    """What is held now, and the part of it that services hold, by the names of LIMITS: of `selectors.with_use`."""

    def __str__(self) -> str:
        return str(self.project)

    @property
    def limits(self) -> dict[str, int]:
        """By name, without those that are not limited."""
        return {name: limit for name in self.LIMITS if (limit := getattr(self, name)) is not None}


class Checkpoint(models.Model):
    """A checkpoint that is whole in storage: at `checkpoints/JOB/STEP/`, with the checksums in `manifest`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="checkpoints")
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="checkpoints")
    step = models.BigIntegerField()
    manifest = models.JSONField(default=dict)
    size_bytes = models.BigIntegerField(default=0)
    values = models.JSONField(default=dict)
    broken_at = models.DateTimeField(null=True)
    """Set when its checksums were found wrong; the one before is used then."""
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "step"], name="checkpoint_step_once")]


class JobEvent(models.Model):
    """A change worth telling: state, progress, sample, checkpoint, artefact, result, error. Logs and metrics have
    tables of their own and share the sequence."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="events")
    seq = models.BigIntegerField()
    type = models.CharField(max_length=20)
    data = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "seq"], name="job_event_seq_once")]


class MetricChunk(models.Model):
    """Up to 1,000 points of one series, as arrays of equal length. A full chunk also holds its outline: for every 50
    points the lowest and the highest as (step, value, time), so that a chart of a million points reads 1 in 25."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="metric_chunks")
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    first_step = models.BigIntegerField()
    steps = ArrayField(models.BigIntegerField())
    values = ArrayField(models.FloatField())
    times = ArrayField(models.FloatField())
    outline = ArrayField(models.FloatField(), null=True)
    last_seq = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["job", "name", "first_step"], name="metric_job_name_step")]


class LogChunk(models.Model):
    """Up to 64 KiB of log lines. Each line is a JSON object {"t", "level", "message", "data"}; lines count from 1."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="log_chunks")
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="+")
    first_line = models.BigIntegerField()
    lines = models.IntegerField()
    text = models.TextField()
    last_seq = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "first_line"], name="log_first_line_once")]
