"""What a project lets others read, and what others let it read."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import artefact_types, selectors, services
from apps.core.errors import AifsError, translate
from apps.core.models import Artefact, Project
from apps.core.pages import project_page


@project_page("manage")
def share_list(request: HttpRequest, project: Project, type: str, id: UUID) -> HttpResponse:
    """With whom an artefact of the project is shared, and a form to share it: a fragment, or a page of its own."""
    artefact = selectors.get_own_artefact(request.actor, project, type, id)  # type: ignore[attr-defined]
    return _shown(request, project, artefact)


@require_POST
@project_page("manage")
def share_create(request: HttpRequest, project: Project, type: str, id: UUID) -> HttpResponse:
    """`target` is `project:<id>` or `team:<id>`."""
    artefact = selectors.get_own_artefact(request.actor, project, type, id)  # type: ignore[attr-defined]
    kind, _colon, wanted = request.POST.get("target", "").partition(":")
    target = {kind: wanted} if kind in ("project", "team") else {}
    services.share_artefact(request.actor, artefact, **target)  # type: ignore[attr-defined]
    return _answer(request, project, artefact)


@require_POST
@project_page("manage")
def share_revoke(request: HttpRequest, project: Project, share: UUID) -> HttpResponse:
    found = selectors.get_share(project, share)
    services.revoke_share(request.actor, found)  # type: ignore[attr-defined]
    return _answer(request, project, found.artefact)


@project_page()
def shared_detail(request: HttpRequest, project: Project, artefact: UUID) -> HttpResponse:
    """Another project's artefact as this one sees it: the version itself, and nothing around it. What is the project's
    own leads to its page, so that whoever does not know whose it is can link here."""
    actor = request.actor  # type: ignore[attr-defined]
    found = selectors.get_shared(actor, project, artefact)
    if found.project_id == project.pk:
        return redirect(artefact_types.url(found) or reverse("core:artefact_list", args=[project.slug]))
    shown = artefact_types.shared(found.type)
    context = {
        "artefact": found,
        "label": artefact_types.label(found.type),
        "facts": shown.facts(found) if shown else [],
        "text": shown.text(found) if shown and shown.text else "",
        "uses": [
            {"use": use, "url": url}
            for use, url in artefact_types.uses(found, project)
            if actor.may(use.right, project)
        ],
        "files": sorted(artefact_types.shared_files(found).items())[:200],
    }
    return render(request, "core/shared_detail.html", context)


@project_page("manage")
def settings_team(request: HttpRequest, project: Project) -> HttpResponse:
    """The team of the project: its name, and moving the project to another one."""
    actor = request.actor  # type: ignore[attr-defined]
    error = ""
    if request.method == "POST":
        given = {key: request.POST.get(key, "").strip() for key in ("rename", "team", "name")}
        try:
            if given["rename"]:
                services.rename_team(actor, project, given["rename"])
            else:
                services.move_to_team(actor, project, team=given["team"] or None, name=given["name"])
        except AifsError as problem:
            error = translate(problem.message, problem.data)
        else:
            messages.success(request, _("Saved."))
            return redirect("core:settings_team", project=project.slug)
    mine = [row.project for row in actor.memberships()]
    managed = {row.team_id: row.team for row in selectors.with_teams(mine) if actor.may("manage", row)}
    context = {
        "team": project.team,
        "neighbours": [row for row in mine if row.team_id == project.team_id],
        "teams": [team for key, team in managed.items() if key != project.team_id],
        "error": error,
    }
    return render(request, "core/settings_team.html", context, status=400 if error else 200)


def _answer(request: HttpRequest, project: Project, artefact: Artefact) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return _shown(request, project, artefact)
    return redirect("core:share_list", project.slug, artefact.type, artefact.pk)


def _shown(request: HttpRequest, project: Project, artefact: Artefact) -> HttpResponse:
    shares = list(selectors.list_shares(artefact))
    taken = {share.project_id or share.team_id for share in shares}
    projects, teams = selectors.share_targets(request.actor, project)  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "artefact": artefact,
        "page": artefact_types.url(artefact),
        "shares": shares,
        "to_projects": [row for row in projects if row.pk not in taken],
        "to_teams": [row for row in teams if row.pk not in taken],
    }
    fragment = bool(request.headers.get("HX-Request"))
    return render(request, "core/_shares.html" if fragment else "core/share_list.html", context)
