"""Reads that check access or join. Strangers get NotFound."""

import re
import uuid
from collections.abc import Iterable
from typing import Any

from allauth.usersessions.models import UserSession
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core import artefact_types
from apps.core.access import ROLE_RIGHTS, Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import (
    ApiKey,
    Artefact,
    AuditEvent,
    Comment,
    Invitation,
    Membership,
    Notification,
    Project,
    SavedView,
    Share,
    Team,
    Upload,
    User,
    Webhook,
    WebhookDelivery,
)


def as_uuid(text: object) -> uuid.UUID | None:
    """The id that a text spells, or None when it spells none."""
    try:
        return text if isinstance(text, uuid.UUID) else uuid.UUID(str(text))
    except ValueError:
        return None


def by_id_or_name(ref: str | uuid.UUID) -> Q:
    known = as_uuid(ref)
    return Q(pk=known) if known else Q(name=str(ref))


def get_project(actor: Actor, slug_or_id: str | uuid.UUID) -> Project:
    """Raises NotFound unless the actor is a member."""
    known = as_uuid(slug_or_id)
    for row in actor.memberships():
        if row.project_id == known or row.project.slug == str(slug_or_id):
            return row.project
    match = Q(pk=known) if known else Q(slug=str(slug_or_id))  # joined since the memberships were read
    project = actor.projects().filter(match).first()
    if project is None:
        raise NotFound(_("There is no such project, or you are not a member of it."))
    return project


def list_members(project: Project) -> QuerySet[Membership]:
    return project.memberships.select_related("user").order_by("created_at")


def get_member(project: Project, id: uuid.UUID) -> Membership:
    membership = list_members(project).filter(pk=id).first()
    if membership is None:
        raise NotFound(_("There is no such member."))
    return membership


def list_invitations(project: Project) -> QuerySet[Invitation]:
    """Those still open, whether or not their time has run out."""
    return project.invitations.filter(accepted_at__isnull=True).order_by("-created_at")


def get_invitation(project: Project, id: uuid.UUID) -> Invitation:
    invitation = list_invitations(project).filter(pk=id).first()
    if invitation is None:
        raise NotFound(_("There is no such invitation."))
    return invitation


def list_api_keys(actor: Actor, project: Project) -> QuerySet[ApiKey]:
    """Owners see every key of the project, others their own."""
    keys = project.api_keys.select_related("user", "replaced_by").order_by("-created_at")
    return keys if actor.may("manage", project) else keys.filter(user=actor.user)


def get_api_key(actor: Actor, project: Project, id: uuid.UUID) -> ApiKey:
    key = list_api_keys(actor, project).filter(pk=id).first()
    if key is None:
        raise NotFound(_("There is no such key."))
    return key


def list_sessions(user: User) -> list[UserSession]:
    """Where a person is signed in, used last first. Rows whose session has ended meanwhile are dropped."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.last_seen_at, reverse=True)


def list_audit_events(project: Project) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(project=project).select_related("user", "api_key").order_by("-at", "-id")


def list_usable_keys() -> list[dict[str, Any]]:
    """Every key that works now, with what it may do: its rights within its user's role. For the gateway's snapshot."""
    keys = ApiKey.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()),
        revoked_at__isnull=True,
        user__is_active=True,
    )
    roles = {(row.project_id, row.user_id): row.role for row in Membership.objects.all()}
    usable = []
    for key in keys:
        role = roles.get((key.project_id, key.user_id))
        if role is not None:
            rights = sorted(ROLE_RIGHTS[role] & set(key.rights))
            usable.append({"key": key, "rights": rights})
    return usable


# --- what people and webhooks are told


def list_notifications(actor: Actor) -> QuerySet[Notification]:
    """The actor's own, newest first, of projects that may still be seen."""
    rows = Notification.objects.filter(user=actor.user, project__in=actor.projects())
    return rows.select_related("project").order_by("-id")


def get_notification(actor: Actor, id: uuid.UUID) -> Notification:
    """Raises NotFound unless it is the actor's own."""
    row = list_notifications(actor).filter(pk=id).first()
    if row is None:
        raise NotFound(_("There is no such notification."))
    return row


def count_unread(actor: Actor) -> int:
    return list_notifications(actor).filter(read_at__isnull=True).count()


def muted_events(actor: Actor) -> set[str]:
    return set(actor.user.muted_events.values_list("event", flat=True))


def list_webhooks(project: Project) -> QuerySet[Webhook]:
    return project.webhooks.select_related("project", "created_by").order_by("id")


def get_webhook(project: Project, id: uuid.UUID) -> Webhook:
    hook = list_webhooks(project).filter(pk=id).first()
    if hook is None:
        raise NotFound(_("There is no such webhook."))
    return hook


def list_deliveries(hook: Webhook, limit: int = 50) -> list[WebhookDelivery]:
    """The newest messages of a webhook."""
    return list(hook.deliveries.order_by("-id")[:limit])


# --- comments


def list_comments(actor: Actor, project: Project, type: str, id: uuid.UUID) -> QuerySet[Comment]:
    """What the project's people say about a thing, oldest first."""
    actor.require("view", project)
    rows = Comment.objects.filter(project=project, type=type, object_id=id)
    return rows.select_related("project", "author", "resolved_by").order_by("id")


def get_comment(actor: Actor, project: Project, id: uuid.UUID) -> Comment:
    """Raises NotFound."""
    actor.require("view", project)
    comment = Comment.objects.select_related("project", "author").filter(project=project, pk=id).first()
    if comment is None:
        raise NotFound(_("There is no such comment."))
    return comment


def search_members(project: Project, query: str, limit: int = 8) -> list[Membership]:
    """Members whose name or address holds the words, by name; `same_name` says that somebody else bears it, too."""
    others = Membership.objects.filter(project=project, user__name__iexact=OuterRef("user__name"))
    found = project.memberships.filter(user__is_active=True).select_related("user")
    for word in query.split()[:5]:
        found = found.filter(Q(user__name__icontains=word) | Q(user__email__icontains=word))
    return list(found.annotate(same_name=Exists(others.exclude(pk=OuterRef("pk")))).order_by("user__name")[:limit])


# --- saved views


def list_saved_views(actor: Actor, url_name: str) -> list[SavedView]:
    """The actor's own views of a list, by name."""
    return list(SavedView.objects.filter(user=actor.user, list=url_name).order_by("name"))


def get_saved_view(actor: Actor, id: uuid.UUID) -> SavedView:
    """Raises NotFound unless it is the actor's own."""
    view = SavedView.objects.filter(user=actor.user, pk=id).first()
    if view is None:
        raise NotFound(_("There is no such view."))
    return view


# --- artefacts, and what is shared


def shares_into(projects: Iterable[Project]) -> QuerySet[Share]:
    """What others let these projects read: shared with one of them, or with its team. Nothing else asks who may read
    somebody else's artefact, so what is taken back is gone everywhere at once."""
    known = list(projects)
    return Share.objects.filter(Q(project__in=known) | Q(team__in={project.team_id for project in known}))


def shared_ids(projects: Iterable[Project]) -> list[uuid.UUID]:
    """Of the artefacts that others let these projects read. Asked for by itself: where nothing is shared, as mostly,
    every list keeps the plan it had, and where something is, an index finds it."""
    return list(shares_into(projects).values_list("artefact", flat=True))


def in_reach(project: Project, path: str = "") -> Q:
    """The artefacts a project may read: its own, and those shared with it. path: from a row to its artefact."""
    own, id = (f"{path}__project", path) if path else ("project", "pk")
    shared = shared_ids([project])
    return Q(**{own: project}) | Q(**{f"{id}__in": shared}) if shared else Q(**{own: project})


def list_artefacts(actor: Actor, project: Project) -> QuerySet[Artefact]:
    """Those in reach of a project; `is_shared` marks another project's."""
    actor.require("view", project)
    rows = Artefact.objects.filter(in_reach(project)).select_related("project").defer("manifest", "meta")
    return rows.annotate(is_shared=ExpressionWrapper(~Q(project=project), BooleanField()))


def readers_of(projects: Iterable[Project], artefacts: Iterable[uuid.UUID]) -> dict[uuid.UUID, Project]:
    """Artefact → the first of these projects that it is shared with."""
    known = list(projects)
    found: dict[uuid.UUID, Project] = {}
    for share in shares_into(known).filter(artefact__in=list(artefacts)).order_by("id"):
        for project in known:
            if share.project_id == project.pk or (share.team_id and share.team_id == project.team_id):
                found.setdefault(share.artefact_id, project)
    return found


def get_shared(actor: Actor, project: Project, id: uuid.UUID) -> Artefact:
    """An artefact a project may read, its own or another's. Raises NotFound."""
    actor.require("view", project)
    artefact = Artefact.objects.select_related("project").filter(in_reach(project), pk=id).first()
    if artefact is None:
        raise NotFound(_("There is no such artefact, or you may not see it."))
    return artefact


def get_own_artefact(actor: Actor, project: Project, type: str, id: uuid.UUID) -> Artefact:
    """An artefact that belongs to the project. Raises NotFound, also for what is only shared with it."""
    actor.require("view", project)
    artefact = Artefact.objects.select_related("project").filter(project=project, type=type, pk=id).first()
    if artefact is None:
        raise NotFound(_("There is no such artefact, or you may not see it."), type=type)
    return artefact


def with_teams(projects: Iterable[Project]) -> QuerySet[Project]:
    """The same projects with their teams at hand."""
    return Project.objects.filter(pk__in=[row.pk for row in projects]).select_related("team").order_by("name")


def list_shares(artefact: Artefact) -> QuerySet[Share]:
    """With whom an artefact is shared, newest first."""
    return artefact.shares.select_related("project", "team", "created_by").order_by("-id")


def get_share(project: Project, id: uuid.UUID) -> Share:
    """A share of one of the project's own artefacts. Raises NotFound."""
    shares = Share.objects.select_related("artefact__project", "project", "team")
    share = shares.filter(artefact__project=project, pk=id).first()
    if share is None:
        raise NotFound(_("There is no such share."))
    return share


def share_targets(actor: Actor, project: Project) -> tuple[list[Project], list[Team]]:
    """Where the actor could bring things in by other ways, too: projects and the teams of such projects."""
    mine = [row.project for row in actor.memberships() if actor.may("run_simple", row.project)]
    teams = Team.objects.filter(pk__in={row.team_id for row in mine}).order_by("name")
    return [row for row in mine if row.pk != project.pk], list(teams)


def find_artefact(project: Project, type: str, ref: str | uuid.UUID) -> Artefact:
    """An artefact that a project may read, by id, `name` (newest version) or `name:version`; one that another project
    shares also as `project/name:version`. Raises NotFound."""
    known = as_uuid(ref)
    artefact: Artefact | None
    if known:
        artefact = Artefact.objects.filter(in_reach(project), type=type, pk=known).first()
    else:
        registered = artefact_types.get(type)
        artefact = registered.find(project, str(ref)) if registered else None
        artefact = artefact or _find_shared(project, type, str(ref))
    if artefact is None:
        raise NotFound(
            _("This project has no %(label)s called “%(ref)s”."), label=str(artefact_types.label(type)), ref=str(ref)
        )
    return artefact


def _find_shared(project: Project, type: str, ref: str) -> Artefact | None:
    """By the short name of the project it comes from and its own; without a version the newest that is shared."""
    source, slash, name = ref.partition("/")
    if not slash:
        return None
    shared = Artefact.objects.filter(in_reach(project), type=type, project__slug=source).exclude(project=project)
    return shared.filter(Q(name=name) | Q(name__regex=rf"^{re.escape(name)}:[0-9]+$")).order_by("-id").first()


def get_upload(actor: Actor, project: Project, id: str | uuid.UUID) -> Upload:
    """A finished upload of the project. Raises NotFound, or InvalidInput while it is not whole."""
    actor.require("view", project)
    known = as_uuid(id)
    upload = Upload.objects.filter(project=project, pk=known).first() if known else None
    if upload is None:
        raise NotFound(_("There is no such upload in this project."), upload=str(id))
    if not upload.sha256:
        raise InvalidInput(_("This upload is not finished yet."), hint=_("Wait until the whole file has arrived."))
    return upload


def upload_facts(id: str) -> dict[str, Any]:
    """What an estimate rests on: {"filename", "size_bytes"} of an upload that the caller may use. Raises NotFound."""
    found = Upload.objects.filter(pk=id).values("filename", "size_bytes").first()
    if found is None:
        raise NotFound(_("There is no such upload in this project."), upload=id)
    return {**found}


def search_artefacts(actor: Actor, project: Project, query: str) -> list[tuple[str, str, str]]:
    """Artefacts of every registered type whose name holds all the words, newest first: (label, address, kind)."""
    actor.require("view", project)
    found = Artefact.objects.filter(in_reach(project), type__in=artefact_types.names()).select_related("project")
    for word in query.split()[:5]:
        found = found.filter(name__icontains=word)
    rows = found.defer("manifest", "meta").order_by("-id")[:8]
    return [(row.name, artefact_types.url(row, project), artefact_types.label(row.type)) for row in rows]
