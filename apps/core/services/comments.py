"""What people say about what they work on."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core import mentions
from apps.core.access import Actor
from apps.core.errors import InvalidInput, LimitReached, NotAllowed
from apps.core.lineage import Node, get_node
from apps.core.models import AuditEvent, Comment, Project, User
from apps.core.parsing import check_storable
from apps.core.services.audit import record_audit
from apps.core.services.notices import emit

LONGEST = 4_000
PER_MINUTE = 20
"""Comments written or changed by one person in one project."""
WRITE = "run_simple"
"""Whoever only views, only reads: a viewer, or a key that may do no more."""


@transaction.atomic
def create_comment(actor: Actor, project: Project, type: str, id: str | UUID, text: str) -> Comment:
    """Say something about a thing; who is mentioned, and who has spoken there before, is told.

    Raises NotFound for a thing the project does not have, InvalidInput for a text that is empty or too long,
    LimitReached after PER_MINUTE.
    """
    actor.require(WRITE, project)
    thing = get_node(actor, project, type, id)
    text = _checked(text)
    _slow_down(actor, project)
    comment = Comment.objects.create(
        project=project, type=type, object_id=thing.id, author=actor.user, text=text, mentions=_named(project, text)
    )
    record_audit(actor, "comment.create", comment, type=type, object_id=str(thing.id))
    meant = _people(comment)
    _tell("comment.mention", comment, thing, meant)
    spoken = Comment.objects.filter(project=project, type=type, object_id=thing.id).values("author")
    others = User.objects.filter(pk__in=spoken).exclude(pk__in=[person.pk for person in meant])
    _tell("comment.create", comment, thing, others)
    return comment


@transaction.atomic
def update_comment(actor: Actor, comment: Comment, text: str) -> Comment:
    """Only its author changes what was said; who is mentioned now and was not before is told."""
    actor.require(WRITE, comment.project)
    if comment.author_id != actor.user.pk:
        raise NotAllowed(_("Only its author can change a comment."))
    thing = get_node(actor, comment.project, comment.type, comment.object_id)
    text = _checked(text)
    if text == comment.text:
        return comment
    _slow_down(actor, comment.project)
    before = {person for _first, _last, person in comment.mentions}
    comment.text, comment.mentions, comment.edited_at = text, _named(comment.project, text), timezone.now()
    comment.save(update_fields=["text", "mentions", "edited_at"])
    record_audit(actor, "comment.update", comment)
    _tell("comment.mention", comment, thing, [p for p in _people(comment) if str(p.pk) not in before])
    return comment


@transaction.atomic
def resolve_comment(actor: Actor, comment: Comment, resolved: bool) -> Comment:
    """Mark what it asks for as settled, or as open again: everybody who may write."""
    actor.require(WRITE, comment.project)
    comment.resolved_at = timezone.now() if resolved else None
    comment.resolved_by = actor.user if resolved else None
    comment.save(update_fields=["resolved_at", "resolved_by"])
    record_audit(actor, "comment.resolve" if resolved else "comment.reopen", comment)
    return comment


@transaction.atomic
def delete_comment(actor: Actor, comment: Comment) -> None:
    """One's own; an owner also others'. The audit keeps that it was deleted, not what it said."""
    actor.require(WRITE if comment.author_id == actor.user.pk else "manage", comment.project)
    record_audit(actor, "comment.delete", comment, type=comment.type, object_id=str(comment.object_id))
    comment.delete()


def _checked(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    check_storable(text)
    if not text:
        raise InvalidInput(_("Write something first."), errors=[{"field": "text", "message": gettext("Is empty.")}])
    if len(text) > LONGEST:
        problem = _("A comment has at most %(most)d characters.")
        errors = [{"field": "text", "message": problem, "data": {"most": LONGEST}}]
        raise InvalidInput(problem, most=LONGEST, errors=errors)
    return text


def _slow_down(actor: Actor, project: Project) -> None:
    """Counted in the audit, which deleting a comment does not change."""
    deeds = AuditEvent.objects.filter(
        project=project, user=actor.user.pk, at__gt=timezone.now() - timedelta(minutes=1),
        action__in=("comment.create", "comment.update"),
    )  # fmt: skip
    if deeds.count() >= PER_MINUTE:
        raise LimitReached(
            _("Those were many comments in one minute. Wait a little."), code="throttled", retry_after_s=60
        )


def _named(project: Project, text: str) -> list[list[object]]:
    """The places of a text that name members, as they are stored."""
    if "@" not in text:
        return []
    people = User.objects.filter(memberships__project=project, is_active=True)
    return [[start, end, str(person)] for start, end, person in mentions.find(text, people)]


def _people(comment: Comment) -> list[User]:
    return list(User.objects.filter(pk__in={person for _first, _last, person in comment.mentions}))


def _tell(event: str, comment: Comment, thing: Node, to: Iterable[User]) -> None:
    """The message leads to the place; what was said stays in the project."""
    page = thing.url or reverse("core:comment_list", args=[comment.project.slug, comment.type, comment.object_id])
    emit(
        event, comment.project, to=to, by=comment.author, url=f"{page}#comment-{comment.pk}",
        person=str(comment.author), thing=thing.title,
    )  # fmt: skip
