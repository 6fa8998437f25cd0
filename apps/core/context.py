"""What every page of the frame shows: projects, the left rail, language. Templates ask no queries of their own."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from apps.core import navigation
from apps.core.models import Project


def frame(request: HttpRequest) -> dict[str, Any]:
    """`project` (the one the page is in, or None), `open_project` (that, or the one that was open last: what rail,
    search and palette are about on pages outside projects), `projects` (of the switcher), `areas` and `tools` (the rail
    above and below the line: label, url, icon, active), `rights` (in `project`), `gateway_url`."""
    actor = getattr(request, "actor", None)
    project = getattr(request, "project", None)
    signed_in = bool(actor and actor.is_authenticated)
    opened = SimpleLazyObject(lambda: project or (_last_open(request) if signed_in else None))
    lines = SimpleLazyObject(lambda: _rail(request, opened) if signed_in and opened else [])
    return {
        "project": project,
        "open_project": opened,
        "projects": SimpleLazyObject(lambda: [row.project for row in actor.memberships()] if signed_in else []),
        "areas": SimpleLazyObject(lambda: [line for line in lines if not line["tool"]]),
        "tools": SimpleLazyObject(lambda: [line for line in lines if line["tool"]]),
        "rights": (actor.rights(project) or frozenset()) if signed_in and project else frozenset(),
        "gateway_url": settings.AIFS_GATEWAY_URL,
    }


def _last_open(request: HttpRequest) -> Project | None:
    """The project that the browser was in last; else any of the reader's."""
    mine = [row.project for row in request.actor.memberships()]  # type: ignore[attr-defined]
    last = request.session.get("project", "")
    return next((project for project in mine if project.slug == last), mine[0] if mine else None)


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
