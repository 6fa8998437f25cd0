"""RFC 9457 problem documents for whatever an API view raises."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext_noop as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core.errors import AifsError, DiskFull, InvalidInput, LimitReached, NotAllowed, NotFound, problem
from workers import disk


class Unauthenticated(AifsError):
    status, code = 401, "unauthenticated"


class Refused(AifsError):
    """What the framework refuses and has no name of its own here."""

    status, code = 400, "bad_request"


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. Unknown exceptions go on to the middleware, which shows them as a bug."""
    known = as_aifs(error)
    if known is None:
        return None
    set_rollback()
    body = problem(known)
    response = Response(body, status=known.status, content_type="application/problem+json")
    if isinstance(error, exceptions.APIException):
        for header, attribute in (("WWW-Authenticate", "auth_header"), ("Retry-After", "wait")):
            if value := getattr(error, attribute, None):
                response[header] = str(value)
    if known.status in {429, 503} and "Retry-After" not in response:
        response["Retry-After"] = str(known.data.get("retry_after_s", 5))
    return response


def as_aifs(error: Exception) -> AifsError | None:
    """The error in AIFS's own terms; None for a bug."""
    if isinstance(error, AifsError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return InvalidInput(_("Some fields are not right."), errors=field_errors(error.detail))
    if isinstance(error, Http404 | exceptions.NotFound):
        return NotFound(_("There is no such object, or you may not see it."))
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return Unauthenticated(str(error.detail), hint=_("Send an API key: “Authorization: Bearer aifs_…”."))
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return NotAllowed(str(getattr(error, "detail", "")) or _("You may not do this."))
    if isinstance(error, exceptions.Throttled):
        return LimitReached(_("Too many requests."), retry_after_s=int(error.wait or 5))
    if isinstance(error, exceptions.APIException):
        refused = Refused(str(error.detail), code=error.default_code)
        refused.status = error.status_code  # type: ignore[misc]
        return refused
    return DiskFull() if disk.is_full(error) else None


def field_errors(detail: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested messages as a flat list of {"field", "message"}; a nested field is `outer.inner`."""
    if isinstance(detail, dict):
        return [
            row for key, value in detail.items() for row in field_errors(value, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(detail, list):
        return [row for value in detail for row in field_errors(value, path)]
    return [{"field": "" if path == "non_field_errors" else path, "message": str(detail)}]
