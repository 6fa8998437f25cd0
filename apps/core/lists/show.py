"""The page of a list."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.core.lists import export, paging, state
from apps.core.lists.spec import List
from apps.core.models import Project, SavedView
from apps.core.selectors import list_saved_views


def show(
    request: HttpRequest, project: Project, spec: List, template: str, context: dict[str, Any] | None = None
) -> HttpResponseBase:
    """The page; `?format=csv` the same rows as a file. An address without a query shows the reader's default view.

    The template is given `list` (see `_shown`) beside its own context, and includes `ui/list.html`.
    """
    actor = request.actor  # type: ignore[attr-defined]
    views = list_saved_views(actor, spec.url_name)
    if not request.GET and request.method == "GET":
        default = next((view for view in views if view.is_default and view.query), None)
        if default:
            return redirect(f"{request.path}?{default.query}")
    wanted = state.read(spec, request.GET)
    order = ("-" if wanted.sort.startswith("-") else "") + spec.order_of(wanted.sort.removeprefix("-"))
    rows = state.narrow(spec.rows(actor, project), wanted)
    if request.GET.get("format") == "csv":
        return export.respond(spec, rows, order, project)
    page = paging.turn(
        rows, order, spec.per_page, before=request.GET.get("before", ""), after=request.GET.get("after", "")
    )
    shown = _shown(request, project, spec, wanted, page, views)
    return render(request, template, (context or {}) | {"list": shown, "rows": shown["rows"]})


def _shown(
    request: HttpRequest, project: Project, spec: List, wanted: state.State, page: paging.Page, views: list[SavedView]
) -> dict[str, Any]:
    """What `ui/list.html` draws."""
    actor = request.actor  # type: ignore[attr-defined]
    query = wanted.encode()
    empty_url = spec.empty.url(project) if spec.empty.url and actor.may(spec.empty.right, project) else ""
    return {
        "spec": spec,
        "rows": spec.present(page.rows, project),
        "heads": _heads(spec, wanted),
        "filters": [
            {"filter": choice, "options": choice.options(), "value": wanted.filters.get(choice.name, "")}
            for choice in spec.filters
        ],
        "state": wanted,
        "narrowed": wanted.narrowed,
        "query": query,
        "views": [{"view": view, "open": f"?{view.query or 'all=1'}", "active": view.query == query} for view in views],
        "first": f"?{query or 'all=1'}" if page.before else "",
        "before": f"?{wanted.encode(before=page.before)}" if page.before else "",
        "after": f"?{wanted.encode(after=page.after)}" if page.after else "",
        "last": f"?{wanted.encode(before=paging.LAST)}" if page.after else "",
        "csv": f"?{wanted.encode(format='csv')}" if any(column.value for column in spec.columns) else "",
        "everything": f"{request.path}?all=1",
        "bulk": [
            {"action": bulk, "url": reverse(bulk.url_name, args=[project.slug])}
            for bulk in spec.bulk
            if actor.may(bulk.right, project)
        ],
        "empty_url": empty_url,
    }


def _heads(spec: List, wanted: state.State) -> list[dict[str, Any]]:
    """Heads of the table; one that sorts has an address, and says which way it is sorted now."""
    sorted_by = wanted.sort.removeprefix("-")
    return [
        {
            "column": column,
            "url": wanted.sorted_by(column.name) if column.order else "",
            "sorted": ("descending" if wanted.sort.startswith("-") else "ascending")
            if column.order and column.name == sorted_by
            else "",
        }
        for column in spec.columns
        if column.head
    ]
