"""What people say about a thing: a fragment that every page of a thing loads, which is a page of its own, too."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.core import lineage, mentions, selectors, services
from apps.core.models import Comment, Project
from apps.core.pages import project_page
from apps.core.services.comments import LONGEST, WRITE

SHOWN = 50
"""The newest so many; older ones are a click away."""


@project_page()
def comment_list(request: HttpRequest, project: Project, type: str, id: UUID) -> HttpResponse:
    """The newest comments, oldest of them first; `?before=` those older than one."""
    node = lineage.get_node(request.actor, project, type, id)  # type: ignore[attr-defined]
    return _shown(request, project, node)


@require_POST
@project_page(WRITE)
def comment_create(request: HttpRequest, project: Project, type: str, id: UUID) -> HttpResponse:
    comment = services.create_comment(request.actor, project, type, id, request.POST.get("text", ""))  # type: ignore[attr-defined]
    return _answer(request, project, comment)


@require_POST
@project_page(WRITE)
def comment_edit(request: HttpRequest, project: Project, comment: UUID) -> HttpResponse:
    found = selectors.get_comment(request.actor, project, comment)  # type: ignore[attr-defined]
    services.update_comment(request.actor, found, request.POST.get("text", ""))  # type: ignore[attr-defined]
    return _answer(request, project, found)


@require_POST
@project_page(WRITE)
def comment_resolve(request: HttpRequest, project: Project, comment: UUID) -> HttpResponse:
    """Settled, or (`open`) open again."""
    found = selectors.get_comment(request.actor, project, comment)  # type: ignore[attr-defined]
    services.resolve_comment(request.actor, found, not request.POST.get("open"))  # type: ignore[attr-defined]
    return _answer(request, project, found)


@require_POST
@project_page(WRITE)
def comment_delete(request: HttpRequest, project: Project, comment: UUID) -> HttpResponse:
    found = selectors.get_comment(request.actor, project, comment)  # type: ignore[attr-defined]
    services.delete_comment(request.actor, found)  # type: ignore[attr-defined]
    return _answer(request, project, found)


@project_page(WRITE)
def member_search(request: HttpRequest, project: Project) -> JsonResponse:
    """Members for `?q=` after an `@`: {"people": [{"name", "email", "handle"}]}. The handle names exactly one."""
    found = selectors.search_members(project, request.GET.get("q", "").strip()[:100])
    people = [
        {
            "name": row.user.name,
            "email": row.user.email,
            "handle": row.user.email if row.same_name or not row.user.name else row.user.name,  # type: ignore[attr-defined]
        }
        for row in found
    ]
    return JsonResponse({"people": people})


def _answer(request: HttpRequest, project: Project, comment: Comment) -> HttpResponse:
    """After a deed: the fragment anew, or without scripts the page."""
    if request.headers.get("HX-Request"):
        node = lineage.get_node(request.actor, project, comment.type, comment.object_id)  # type: ignore[attr-defined]
        return _shown(request, project, node)
    page = reverse("core:comment_list", args=[project.slug, comment.type, comment.object_id])
    return redirect(f"{page}#comment-{comment.pk}")


def _shown(request: HttpRequest, project: Project, node: lineage.Node) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    rows = selectors.list_comments(actor, project, node.type, node.id)
    before = selectors.as_uuid(request.GET.get("before", ""))
    newest = list((rows.filter(pk__lt=before) if before else rows).order_by("-id")[: SHOWN + 1])
    lines = [_line(row, actor, project) for row in reversed(newest[:SHOWN])]
    context: dict[str, Any] = {
        "node": node,
        "lines": lines,
        "count": rows.count(),
        "older": lines[0]["comment"].pk if len(newest) > SHOWN else None,
        "earlier": before,
        "may_write": actor.may(WRITE, project),
        "longest": LONGEST,
    }
    fragment = bool(request.headers.get("HX-Request"))
    return render(request, "core/_comments.html" if fragment else "core/comment_list.html", context)


def _line(comment: Comment, actor: Any, project: Project) -> dict[str, Any]:
    own = comment.author_id == actor.user.pk
    return {
        "comment": comment,
        "parts": mentions.parts(comment.text, comment.mentions),
        "may_edit": own and actor.may(WRITE, project),
        "may_delete": actor.may(WRITE if own else "manage", project),
    }
