"""Where a person is signed in, and signing out there. allauth's `usersessions` stand beside Django's sessions."""

import hashlib
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import User
from apps.core.services.audit import record_audit

NOTED_EVERY_S = 60


def note_session(session_key: str, ip: str) -> None:
    """A session is in use. Costs a write once a minute."""
    mark = f"seen:{hashlib.sha256(session_key.encode()).hexdigest()[:24]}"
    if cache.add(mark, 1, timeout=NOTED_EVERY_S):
        known = {"ip": ip} if ip else {}
        UserSession.objects.filter(session_key=session_key).update(last_seen_at=timezone.now(), **known)


@transaction.atomic
def end_session(actor: Actor, id: int) -> None:
    """Sign out one of one's own sessions. Raises NotFound for somebody else's."""
    session = UserSession.objects.filter(user=actor.user, pk=id).first()
    if session is None:
        raise NotFound(_("There is no such session."))
    session.end()
    record_audit(actor, "session.end", actor.user, ip=session.ip)


@transaction.atomic
def end_other_sessions(actor: Actor, session_key: str | None) -> int:
    """Sign out everywhere but here. Returns how many sessions ended."""
    ended = _end_all(actor.user.pk, but=session_key)
    record_audit(actor, "session.end_others", actor.user, count=ended)
    return ended


def end_all_sessions(user: User) -> int:
    """Sign a person out everywhere, inside the transaction of whatever locks that person out."""
    return _end_all(user.pk)


def _end_all(user_id: UUID, but: str | None = None) -> int:
    sessions = UserSession.objects.filter(user_id=user_id).exclude(session_key=but or "")
    for session in sessions:
        session.end()
    return len(sessions)
