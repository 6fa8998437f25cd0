"""What every page of the frame shows: projects, the left rail, language. Templates ask no queries of their own."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from apps.core import navigation
from apps.core.models import Project


def frame(request: HttpRequest) -> dict[str, Any]:
    """`project` (the open one, or None), `projects` (those of the switcher), `areas` and `tools` (the rail above and
    below the line: label, url, icon, active), `rights` (what the reader may do in the open project), `gateway_url`."""
    actor = getattr(request, "actor", None)
    project = getattr(request, "project", None)
    signed_in = bool(actor and actor.is_authenticated)
    lines = SimpleLazyObject(lambda: _rail(request, project) if signed_in and project else [])
    return {
        "project": project,
        "projects": SimpleLazyObject(lambda: [row.project for row in actor.memberships()] if signed_in else []),
        "areas": SimpleLazyObject(lambda: [line for line in lines if not line["tool"]]),
        "tools": SimpleLazyObject(lambda: [line for line in lines if line["tool"]]),
        "rights": (actor.rights(project) or frozenset()) if signed_in and project else frozenset(),
        "gateway_url": settings.AIFS_GATEWAY_URL,
    }


def _rail(request: HttpRequest, project: Project) -> list[dict[str, Any]]:
    """Of several addresses that the page's begins with, the longest is the page's own."""
    entries = navigation.entries(request.actor, project)  # type: ignore[attr-defined]
    urls = [entry.url(project) for entry in entries]
    here = request.resolver_match.view_name if request.resolver_match else ""
    open_url = next((url for entry, url in zip(entries, urls, strict=True) if here in entry.also), "") or max(
        (url for url in urls if request.path.startswith(url)), key=len, default=""
    )
    return [
        {"area": e.area, "label": e.label, "icon": e.icon, "tool": e.tool, "url": url, "active": url == open_url}
        for e, url in zip(entries, urls, strict=True)
    ]
