"""Who is on the other side of a WebSocket. Sets `scope["actor"]`; refuses a page of another site."""

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from apps.core.access import Actor
from apps.core.authentication import authenticate_key, bearer
from apps.core.errors import LimitReached

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[Any]]


class ActorSocketMiddleware:
    """A browser brings its session and must come from this very site (Origin equals Host); a program brings
    `Authorization: Bearer <api key>` and sends no Origin, or ours."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> Any:
        headers = {name.lower(): value for name, value in scope.get("headers", [])}
        actor = None
        if from_here(headers):
            actor = await sync_to_async(who)(headers, (scope.get("client") or [None])[0])
        if actor is None:
            return await refuse(receive, send)
        return await self.app({**scope, "actor": actor, "user": actor.user}, receive, send)


async def refuse(receive: Any, send: Any) -> None:
    """Close before accepting: the client sees 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4403})


def from_here(headers: dict[bytes, bytes]) -> bool:
    """True when Host is one of ours and Origin, if any, is the same. A session without an Origin is no browser's."""
    host = headers.get(b"host", b"").decode("latin-1")
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    origin = headers.get(b"origin")
    if origin is None:
        return bearer(headers.get(b"authorization", b"")) is not None
    text = origin.decode("latin-1")
    return urlsplit(text).netloc.lower() == host.lower() or text in settings.CSRF_TRUSTED_ORIGINS


def who(headers: dict[bytes, bytes], ip: str | None) -> Actor | None:
    """The actor of a key or of a session; None when there is none, or no live one."""
    plain = bearer(headers.get(b"authorization", b""))
    if plain is not None:
        try:
            return authenticate_key(plain, ip)
        except LimitReached:
            return None
    actor = Actor(_session_user(headers), ip=ip)
    if not actor.is_authenticated:
        return None
    return actor


def _session_user(headers: dict[bytes, bytes]) -> Any:
    """Django's own check of a session, hash of the password included."""
    try:
        cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        cookies = SimpleCookie()
    morsel = cookies.get(settings.SESSION_COOKIE_NAME)
    request = HttpRequest()
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(morsel.value if morsel else None)
    return get_user(request)
