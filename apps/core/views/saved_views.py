"""Saved views of lists: keep one, make it the default, delete it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as marked
from django.views.decorators.http import require_POST

from apps.core import lists, selectors, services
from apps.core.errors import NotFound
from apps.core.lists import state
from apps.core.models import Project, SavedView
from apps.core.pages import project_page


@require_POST
@project_page()
def view_save(request: HttpRequest, project: Project) -> HttpResponse:
    """`list`, `name`, `query` and perhaps `default` of the form above a list."""
    spec = _list_of(request.POST.get("list", ""))
    query = state.normal(spec, request.POST.get("query", ""))
    view = services.save_view(
        request.actor,
        spec.url_name,
        request.POST.get("name", ""),
        query,
        bool(request.POST.get("default")),  # type: ignore[attr-defined]
    )
    messages.success(request, _("The view “%(name)s” is saved.") % {"name": view.name})
    return redirect(_address(project, view))


@require_POST
@project_page()
def view_default(request: HttpRequest, project: Project, view: UUID) -> HttpResponse:
    """Make it the default, or (`off`) no longer."""
    row = selectors.get_saved_view(request.actor, view)  # type: ignore[attr-defined]
    services.set_default_view(request.actor, row, not request.POST.get("off"))  # type: ignore[attr-defined]
    return redirect(_address(project, row))


@require_POST
@project_page()
def view_delete(request: HttpRequest, project: Project, view: UUID) -> HttpResponse:
    row = selectors.get_saved_view(request.actor, view)  # type: ignore[attr-defined]
    services.delete_view(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The view “%(name)s” is deleted.") % {"name": row.name})
    return redirect(f"{reverse(_list_of(row.list).url_name, args=[project.slug])}?all=1")


def _list_of(url_name: str) -> lists.List:
    spec = lists.get(url_name)
    if spec is None:
        raise NotFound(marked("There is no such list."))
    return spec


def _address(project: Project, view: SavedView) -> str:
    return f"{reverse(_list_of(view.list).url_name, args=[project.slug])}?{view.query or 'all=1'}"
