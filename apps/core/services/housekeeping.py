"""What nobody will come back for is thrown away."""

import time
from datetime import timedelta
from pathlib import Path

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.core.lineage import gone
from apps.core.models import Comment, IdempotencyKey, Invitation, Notification, Upload
from apps.core.services.uploads import part_path
from apps.core.storage import storage

UNFINISHED_UPLOADS = timedelta(days=7)
IDEMPOTENCY_KEYS = timedelta(days=1)
INVITATIONS = timedelta(days=30)
TEMPORARY_FILES = timedelta(days=1)
READ_NOTIFICATIONS = timedelta(days=90)


def tidy() -> dict[str, int]:
    """Remove what is too old; safe to run at any time, and twice. Returns how many of each were removed."""
    now = timezone.now()
    stale = Upload.objects.filter(sha256="", created_at__lt=now - UNFINISHED_UPLOADS)
    for upload in stale:
        part_path(upload).unlink(missing_ok=True)
    counts = {
        "uploads": stale.delete()[0],
        "idempotency_keys": IdempotencyKey.objects.filter(created_at__lt=now - IDEMPOTENCY_KEYS).delete()[0],
        "invitations": Invitation.objects.filter(expires_at__lt=now - INVITATIONS).delete()[0],
        "sessions": Session.objects.filter(expire_date__lt=now).delete()[0],
        "notifications": Notification.objects.filter(read_at__lt=now - READ_NOTIFICATIONS).delete()[0],
        "comments": _forget_lost_comments(),
        "temporary_files": 0,
    }
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    if storage().local:
        counts["temporary_files"] = storage().remove_abandoned() + _remove_old(Path(storage().root) / "tmp")
    return counts


def _forget_lost_comments() -> int:
    """What was said about a thing goes with the thing, which may live in an app that core does not know."""
    things = set(Comment.objects.values_list("object_id", flat=True).distinct())
    return Comment.objects.filter(object_id__in=gone(things)).delete()[0]


def _remove_old(folder: Path) -> int:
    """Files that a killed process was writing; folders of half-written checkpoints empty themselves the same way."""
    oldest, removed = time.time() - TEMPORARY_FILES.total_seconds(), 0
    if not folder.exists():
        return 0
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.lstat().st_mtime > oldest:
            continue
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink()
            removed += 1
    return removed
