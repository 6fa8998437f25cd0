"""The way in, search, and the command palette."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from apps.core import commands, navigation
from apps.core.models import Project
from apps.core.pages import project_page, signed_in_page


@signed_in_page
def home(request: HttpRequest) -> HttpResponse:
    """To the project that was open last; else to any; a person without one is told how to get in."""
    projects = request.actor.projects().order_by("name")  # type: ignore[attr-defined]
    last = projects.filter(slug=request.session.get("project", "")).first() or projects.first()
    if last is None:
        return render(request, "core/no_project.html")
    return redirect("core:dashboard", project=last.slug)


@project_page()
def search(request: HttpRequest, project: Project) -> HttpResponse:
    """Results of `?q=` for the command palette: [{"label", "url", "kind"}]."""
    query = request.GET.get("q", "").strip()[:200]
    found = navigation.search(request.actor, project, query) if query else []  # type: ignore[attr-defined]
    return JsonResponse(
        {"results": [{"label": str(label), "url": url, "kind": gettext(str(kind))} for label, url, kind in found]}
    )


@project_page()
def palette(request: HttpRequest, project: Project) -> HttpResponse:
    """What the command palette offers before anything is typed: {"commands": [{"label", "url", "scope", …}]}."""
    return JsonResponse({"commands": commands.commands(request.actor, project)})  # type: ignore[attr-defined]
