"""API keys: `Authorization: Bearer aifs_…` for the API and for WebSockets."""

import hashlib
import secrets
from datetime import timedelta

from django.core.cache import cache
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.core.access import Actor
from apps.core.errors import LimitReached
from apps.core.models import ApiKey, User
from apps.core.services.keys import hash_key

FAILURES_PER_MINUTE = 60
"""Wrong keys from one address before it has to wait."""
USED_EVERY = timedelta(minutes=1)
NOBODY = hash_key("")


def find_key(plain: str) -> ApiKey | None:
    """The live key that a text spells. Unknown, revoked and expired keys take the same work as a wrong secret."""
    parts = plain.split("_")
    prefix = parts[1] if len(parts) == 3 and parts[0] == "aifs" else ""
    key = ApiKey.objects.select_related("user", "project").filter(prefix=prefix[:12]).first()
    matches = secrets.compare_digest(hash_key(plain), key.hash if key else NOBODY)
    if key is None or not matches or key.revoked_at or not key.user.is_active:
        return None
    if key.expires_at and key.expires_at <= timezone.now():
        return None
    if key.last_used_at is None or key.last_used_at < timezone.now() - USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())
    return key


def bearer(header: bytes) -> str | None:
    """The key in an Authorization header; None when there is no bearer token in it."""
    scheme, _space, token = header.partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    return token.strip().decode("latin-1")


def authenticate_key(plain: str, ip: str | None) -> Actor | None:
    """The actor of a key, or None. Raises LimitReached for a wrong key after too many of them from one address: those
    who hold a good key keep working behind the same address."""
    key = find_key(plain)
    if key is not None:
        return Actor(key.user, key, ip)
    if _failures(ip) > FAILURES_PER_MINUTE:
        raise LimitReached(
            _("Too many wrong API keys from this address; try again in a minute."), code="throttled", retry_after_s=60
        )
    return None


def _failures(ip: str | None) -> int:
    """Count one, and say how many there were in the running minute."""
    counter = f"wrong-keys:{hashlib.sha256((ip or '').encode()).hexdigest()[:16]}"
    cache.add(counter, 0, timeout=60)
    try:
        return int(cache.incr(counter))
    except ValueError:  # the minute ended in between
        return 1


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.actor` to one that is limited to the key's project and rights."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        plain = bearer(get_authorization_header(request))
        if plain is None:
            return None
        actor = authenticate_key(plain, request.META.get("REMOTE_ADDR") or None)
        if actor is None or actor.api_key is None:
            raise AuthenticationFailed(gettext("This API key is unknown, expired or revoked."))
        request._request.actor = actor  # type: ignore[attr-defined]
        return actor.user, actor.api_key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="AIFS"'
