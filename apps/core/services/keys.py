"""API keys: `aifs_<prefix>_<secret>`, shown once, kept as a hash."""

import hashlib
import secrets
import string
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core import key_changes
from apps.core.access import RIGHTS, Actor
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.core.models import ApiKey, Project
from apps.core.services.audit import record_audit

ALPHABET = string.ascii_lowercase + string.digits
PREFIX_LENGTH = 8
SECRET_LENGTH = 40
"""40 of 36 letters: 206 bits."""
LONGEST_GRACE = timedelta(days=7)
"""After a rotation the old key works on for at most so long."""


def hash_key(plain: str) -> str:
    """A key is random and long, so a plain SHA-256 cannot be searched backwards and costs a request next to nothing."""
    return hashlib.sha256(plain.encode()).hexdigest()


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _place in range(count))


@transaction.atomic
def create_api_key(
    actor: Actor, project: Project, name: str, rights: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key for oneself. Returns the row and the key in plain, which is nowhere else.

    Raises InvalidInput for unknown rights or a past date, NotAllowed for rights the actor does not have.
    """
    actor.require("view", project)
    asked = set(rights)
    wanted = [right for right in RIGHTS if right in asked]
    unknown = asked - set(RIGHTS)
    if not name.strip():
        raise InvalidInput(_("Give the key a name, so that you recognise it later."))
    if unknown or not wanted:
        raise InvalidInput(_("Choose at least one right; known rights are %(known)s."), known=", ".join(RIGHTS))
    if expires_at and expires_at <= timezone.now():
        raise InvalidInput(_("The key would expire in the past."))
    if actor.api_key and not actor.may("manage", project):
        raise NotAllowed(_("This key may not make other keys."))
    beyond = [right for right in wanted if not actor.may(right, project)]
    if beyond:
        raise NotAllowed(_("You cannot give rights that you do not have: %(rights)s."), rights=", ".join(beyond))
    key, plain = _mint(project=project, user=actor.user, name=name.strip(), rights=wanted, expires_at=expires_at)
    record_audit(actor, "api_key.create", key, rights=wanted)
    key_changes.announce()
    return key, plain


def _mint(**fields: Any) -> tuple[ApiKey, str]:
    prefix = _letters(PREFIX_LENGTH)
    plain = f"aifs_{prefix}_{_letters(SECRET_LENGTH)}"
    return ApiKey.objects.create(prefix=prefix, hash=hash_key(plain), **fields), plain


@transaction.atomic
def rotate_api_key(actor: Actor, key: ApiKey, grace: timedelta) -> tuple[ApiKey, str]:
    """Put a new key in the place of one: same name, rights and length of life. The old one works on for `grace`, at
    most a week; with none it stops at once. Returns the new row and its key in plain, which is nowhere else.

    Only its user may do this, or the key itself: whoever rotates sees the secret. Raises NotFound for somebody else's,
    NotAllowed for another key's, Conflict for one that is revoked, expired or replaced already, so that an old key that
    leaked cannot renew itself.
    """
    actor.require("view", key.project)
    if key.user_id != actor.user.pk:
        raise NotFound(_("There is no such key."))
    if actor.api_key and actor.api_key.pk != key.pk:
        raise NotAllowed(_("This key may only rotate itself."))
    if not timedelta() <= grace <= LONGEST_GRACE:
        raise InvalidInput(_("The old key may work on for at most %(days)s days."), days=LONGEST_GRACE.days)
    now = timezone.now()
    old = ApiKey.objects.select_for_update().get(pk=key.pk)
    if old.revoked_at or old.is_expired or old.replaced_by_id:
        raise Conflict(_("This key does not work any more or is replaced already."))
    expires_at = now + (old.expires_at - old.created_at) if old.expires_at else None
    new, plain = _mint(project=old.project, user=old.user, name=old.name, rights=old.rights, expires_at=expires_at)
    old.replaced_by = new
    if grace:
        old.expires_at = min(old.expires_at or now + grace, now + grace)
    else:
        old.revoked_at = now
    old.save(update_fields=["replaced_by", "expires_at", "revoked_at"])
    record_audit(actor, "api_key.rotate", old, successor=new.prefix, grace_hours=grace / timedelta(hours=1))
    key_changes.announce()
    return new, plain


@transaction.atomic
def revoke_api_key(actor: Actor, key: ApiKey) -> None:
    """A key stops working at once. Its user and owners of the project may do this. Raises Conflict the second time."""
    actor.require("view", key.project)
    if key.user_id != actor.user.pk and not actor.may("manage", key.project):
        raise NotFound(_("There is no such key."))
    if actor.api_key and actor.api_key.pk != key.pk and not actor.may("manage", key.project):
        raise NotAllowed(_("This key may only revoke itself."))
    if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
        raise Conflict(_("This key is already revoked."))
    record_audit(actor, "api_key.revoke", key)
    key_changes.announce()
