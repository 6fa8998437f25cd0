"""How an error is shown: a page, a fragment for htmx, or a problem document, whichever the client asked for."""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext_noop as _

from apps.core.errors import AifsError, InvalidInput, LimitReached, NotAllowed, NotFound, Unavailable, problem
from apps.core.ids import uuid7

DATABASE_AWAY = (OperationalError, InterfaceError)


class Unexpected(AifsError):
    """A bug, known to the reader by an id that also stands in the log."""

    status, code = 500, "internal_error"

    def __init__(self, id: str) -> None:
        super().__init__(
            _("Something went wrong on our side."),
            hint=_("Tell an operator this number: %(id)s. The log shows what happened."),
            id=id,
        )


class DoesNotFit(InvalidInput):
    """PostgreSQL refuses a value: too long, out of range, or with NUL in it. What a caller sent has come further than
    it should, but it is the caller's."""

    code = "value_does_not_fit"

    def __init__(self) -> None:
        super().__init__(_("A value is too large, too long, or holds characters that cannot be stored."))


class DatabaseAway(Unavailable):
    """PostgreSQL does not answer, or gives no more connections."""

    def __init__(self) -> None:
        super().__init__(
            _("The database does not answer at the moment."), hint=_("Nothing is lost. Try again in a few seconds.")
        )


def wants_problem(request: HttpRequest) -> bool:
    """True for API calls and for clients that prefer JSON to HTML."""
    if request.path.startswith("/api/"):
        return True
    preferred = request.get_preferred_type(["text/html", "application/json", "application/problem+json"])
    return preferred is not None and preferred != "text/html"


def show(request: HttpRequest, error: AifsError) -> HttpResponse:
    """The answer to a request that failed."""
    if wants_problem(request):
        return problem_response(error)
    document = problem(error)
    if isinstance(error, DatabaseAway):  # without a request no context processor asks the database
        page = render_to_string("core/error.html", {"problem": document})
        return _with_headers(HttpResponse(page, status=error.status), error)
    fragment = bool(request.headers.get("HX-Request")) and not request.headers.get("HX-Boosted")
    template = "core/_error.html" if fragment else "core/error.html"
    response = render(request, template, {"problem": document}, status=error.status)
    if fragment:
        response["HX-Retarget"] = "#toasts"
        response["HX-Reswap"] = "beforeend"
    return _with_headers(response, error)


def problem_response(error: AifsError) -> JsonResponse:
    response = JsonResponse(problem(error), status=error.status, content_type="application/problem+json")
    return _with_headers(response, error)  # type: ignore[return-value]


def _with_headers(response: HttpResponse, error: AifsError) -> HttpResponse:
    if error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        response["Retry-After"] = str(error.data.get("retry_after_s", 5))
    return response


# --- what Django itself refuses (named in aifs/urls.py and settings)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return show(request, InvalidInput(_("The server could not understand this request.")))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return show(request, NotAllowed(_("You may not do this.")))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return show(request, NotFound(_("There is no such page, or you may not see it.")))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """allauth's limits of sign-in, reset and sign-up lead here."""
    return show(request, LimitReached(_("Too many requests. Wait a minute."), code="throttled", retry_after_s=60))


def server_error(request: HttpRequest) -> HttpResponse:
    """What went wrong outside the views, in a middleware; Django calls this while it handles the exception."""
    if isinstance(sys.exc_info()[1], DATABASE_AWAY):
        return show(request, DatabaseAway())
    return show(request, Unexpected(str(uuid7())))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return show(
        request,
        NotAllowed(
            _("This form has expired or came from another site."),
            hint=_("Reload the page and send it again."),
            code="csrf_failed",
        ),
    )
