"""People and their rights, artefacts and where they came from."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7


class EmailUserManager(UserManager["User"]):
    """Users sign in by e-mail address; there is no user name."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":  # type: ignore[override]
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":  # type: ignore[override]
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=10, default="en")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = EmailUserManager()  # type: ignore[assignment, misc]

    def __str__(self) -> str:
        return self.name or self.email


class Team(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    """Where people work together; everything else belongs to one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, models.PROTECT, related_name="projects")
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ENGINEER = "engineer", _("Engineer")
    DATA_SCIENTIST = "data_scientist", _("Data scientist")
    EXPERT = "expert", _("Business expert")
    VIEWER = "viewer", _("Viewer")


class Membership(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]


class Invitation(models.Model):
    """Somebody is asked into a project. The link's token is shown once; only its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Role.choices)
    hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "email"], name="invitation_once", condition=models.Q(accepted_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()


class ApiKey(models.Model):
    """`aifs_<prefix>_<secret>`: only the SHA-256 of the whole is kept. Limited to a project and to rights."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="api_keys")
    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, unique=True)
    hash = models.CharField(max_length=64)
    rights = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.OneToOneField("self", models.SET_NULL, null=True, blank=True, related_name="replaces")
    """Its successor since a rotation; what is replaced works until `expires_at` and cannot be rotated again."""

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class SavedView(models.Model):
    """A list as somebody likes to see it: `query` is the list's address after the question mark. `list` is the name of
    the list's URL; the one default view is shown when the list is opened without a query."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="saved_views")
    list = models.CharField(max_length=80)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "list", "name"], name="saved_view_once"),
            models.UniqueConstraint(
                fields=["user", "list"], name="saved_view_one_default", condition=models.Q(is_default=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Notification(models.Model):
    """Something happened that concerns a person. `data` fills the places of the event's text, which each reader sees in
    their language; `url` is the path of the page it is about."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    event = models.CharField(max_length=60)
    data = models.JSONField(default=dict)
    url = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="notification_user"),
            models.Index(fields=["user"], name="notification_unread", condition=models.Q(read_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.event


class MutedEvent(models.Model):
    """A person does not want to hear of this event."""

    user = models.ForeignKey(User, models.CASCADE, related_name="muted_events")
    event = models.CharField(max_length=60)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "event"], name="muted_event_once")]


class Comment(models.Model):
    """What a member says about a thing, in the project where it is said: plain text. `type` and `object_id` name the
    thing as lineage does, so anything of a graph can be talked about. `mentions` are the places in the text that name
    members: [[first character, character after the last, id of the person]]."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="comments")
    type = models.CharField(max_length=40)
    object_id = models.UUIDField()
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    text = models.TextField()
    mentions = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "type", "object_id", "id"], name="comment_thing")]

    def __str__(self) -> str:
        return self.type


class Webhook(models.Model):
    """An address outside that is told of a project's events. `secret` is sealed; it signs every message."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="webhooks")
    url = models.URLField(max_length=500)
    secret = models.TextField()
    events = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One message to a webhook, written in the transaction of the event and sent after its commit, again and again
    until it arrives or is given up. `status` is the receiver's last answer (0: none), `answer` that status in words, or
    what went wrong; nothing that the receiver wrote."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=60)
    body = models.TextField()
    attempts = models.IntegerField(default=0)
    status = models.IntegerField(default=0)
    answer = models.TextField(blank=True)
    next_at = models.DateTimeField(null=True)
    """When it is sent next; null once it has arrived or is given up."""
    delivered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_at"], name="delivery_due", condition=models.Q(next_at__isnull=False))
        ]


class AuditEvent(models.Model):
    """Who did what. Written in the transaction of the deed; never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    project = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="+")
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=40, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "-at"], name="audit_project_at")]


class Upload(models.Model):
    """A resumable upload (tus 1.0). Complete when offset equals size; then `sha256` names an object in storage."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="uploads")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    filename = models.CharField(max_length=255)
    size_bytes = models.BigIntegerField()
    offset_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)


class Artefact(models.Model):
    """Anything made or brought in: immutable, named by what it holds. Typed rows (a dataset version, a model version …)
    share its id. `manifest` maps a file path to {"sha256", "size"}; the bytes lie in storage."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="artefacts")
    type = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    manifest = models.JSONField(default=dict)
    meta = models.JSONField(default=dict)
    job_id = models.UUIDField(null=True, db_index=True)
    """The job that made it; a plain id, since jobs live in an app above this one."""
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "type", "-created_at"], name="artefact_project_type")]

    def __str__(self) -> str:
        return self.name


class LineageEdge(models.Model):
    """`child` was made from `parent` by a job; `role` is the name of the input."""

    parent = models.ForeignKey(Artefact, models.CASCADE, related_name="children_edges")
    child = models.ForeignKey(Artefact, models.CASCADE, related_name="parent_edges")
    job_id = models.UUIDField(null=True)
    role = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["parent", "child", "role"], name="lineage_edge_once"),
            models.CheckConstraint(condition=~models.Q(parent=models.F("child")), name="lineage_edge_not_self"),
        ]


class Share(models.Model):
    """A project lets another one, or all projects of a team, read one of its artefacts: that version and nothing around
    it. Taking it back is deleting the row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    artefact = models.ForeignKey(Artefact, models.CASCADE, related_name="shares")
    project = models.ForeignKey(Project, models.CASCADE, null=True, blank=True, related_name="+")
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="+")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(project__isnull=True) ^ models.Q(team__isnull=True), name="share_with_one"
            ),
            models.UniqueConstraint(fields=["artefact", "project"], name="share_project_once"),
            models.UniqueConstraint(fields=["artefact", "team"], name="share_team_once"),
        ]

    def __str__(self) -> str:
        return f"{self.artefact} → {self.project or self.team}"


class IdempotencyKey(models.Model):
    """Answer to a creating call, so that the same key gives the same object."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=200)
    body_sha256 = models.CharField(max_length=64)
    status = models.IntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "key"], name="idempotency_key_once")]
