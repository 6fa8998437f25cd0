"""Language, actor and errors of a request. Works under both sync and async views."""

import logging
import sys

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core import signals
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin

from apps.core import error_pages
from apps.core.access import actor_of
from apps.core.errors import AifsError, DiskFull
from apps.core.ids import uuid7
from apps.core.services.sessions import note_session
from workers import disk

log = logging.getLogger(__name__)


class LanguageMiddleware(MiddlewareMixin):
    """The language a person chose; else the cookie of the language switch; else what the browser asks for."""

    def process_request(self, request: HttpRequest) -> None:
        language = request.session.get("language") or translation.get_language_from_request(request)
        translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language()

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        return response


class ActorMiddleware(MiddlewareMixin):
    """Sets `request.actor`. The session is read only when somebody asks who it is."""

    def process_request(self, request: HttpRequest) -> None:
        request.actor = actor_of(request)  # type: ignore[attr-defined]


class LastSeenMiddleware(MiddlewareMixin):
    """Notes once a minute that a session is in use, and from where: people find their own sessions by it."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        session = request.session
        if session.accessed and session.session_key and SESSION_KEY in session:
            note_session(session.session_key, request.META.get("REMOTE_ADDR", ""))
        return response


class ErrorMiddleware(MiddlewareMixin):
    """An expected error becomes a page, a fragment or a problem document; anything else is a bug, shown as an id."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, AifsError):
            return error_pages.show(request, exception)
        if isinstance(exception, Http404 | PermissionDenied | SuspiciousOperation):
            return None  # Django hands these to the handlers of aifs/urls.py
        if isinstance(exception, error_pages.DATABASE_AWAY):
            log.warning("The database is away: %s", exception)
            return error_pages.show(request, error_pages.DatabaseAway())
        if isinstance(exception, DataError):
            log.warning("A value does not fit in %s %s", request.method, request.path, exc_info=sys.exc_info())
            return error_pages.show(request, error_pages.DoesNotFit())
        if disk.is_full(exception):
            log.error("The disk is full: %s", exception)
            return error_pages.show(request, DiskFull())
        id = str(uuid7())
        log.error("Unexpected error %s in %s %s", id, request.method, request.path, exc_info=sys.exc_info())
        signals.got_request_exception.send(sender=type(self), request=request)
        return error_pages.show(request, error_pages.Unexpected(id))
