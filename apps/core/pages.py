"""The door of every project page."""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from apps.core import selectors

View = Callable[..., Any]
page_methods = require_http_methods(["GET", "HEAD", "POST"])
"""Whatever a page answers to: other methods are for the API."""


def project_page(right: str = "view") -> Callable[[View], View]:
    """Decorate a view under `/p/<slug:project>/…`: signed in (else to the sign-in page), a member (else 404), with the
    right (else 403). The view gets the Project in place of the slug; `request.project` is set too."""

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def enter(request: HttpRequest, project: str, *args: Any, **kwargs: Any) -> HttpResponse:
                refused = await sync_to_async(_open_door)(request, project, right)
                return refused or await view(request, request.project, *args, **kwargs)  # type: ignore[attr-defined]
        else:

            @wraps(view)
            def enter(request: HttpRequest, project: str, *args: Any, **kwargs: Any) -> HttpResponse:
                refused = _open_door(request, project, right)
                return refused or view(request, request.project, *args, **kwargs)  # type: ignore[attr-defined]

        enter.right = right  # type: ignore[attr-defined]
        return page_methods(enter)

    return decorate


def signed_in_page(view: View) -> View:
    """Decorate a view outside projects: signed in, else to the sign-in page."""

    @wraps(view)
    def enter(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return sign_in_first(request) or view(request, *args, **kwargs)

    enter.right = "signed_in"  # type: ignore[attr-defined]
    return page_methods(enter)


def open_page(view: View) -> View:
    """Mark a view that everybody may open, signed in or not."""
    view.right = "open"  # type: ignore[attr-defined]
    return page_methods(view)


def sign_in_first(request: HttpRequest) -> HttpResponse | None:
    """The way to the sign-in page for whoever is not signed in. htmx must load it as a page, not into a fragment."""
    if request.actor.is_authenticated:  # type: ignore[attr-defined]
        return None
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": resolve_url(settings.LOGIN_URL)})
    return redirect_to_login(request.get_full_path())


def _open_door(request: HttpRequest, slug: str, right: str) -> HttpResponse | None:
    refused = sign_in_first(request)
    if refused is None:
        actor = request.actor  # type: ignore[attr-defined]
        project = selectors.get_project(actor, slug)
        actor.require(right, project)
        request.project = project  # type: ignore[attr-defined]
        if request.session.get("project") != project.slug:
            request.session["project"] = project.slug
    return refused


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """To where a form wants to lead back (`next`), as long as that is an address of ours."""
    wanted = request.POST.get("next", "")
    ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    return HttpResponseRedirect(wanted if ours else otherwise)
