"""One version: what it holds, its rows, what was put aside, and the way out."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.access import Actor
from apps.core.lineage import graph_context
from apps.core.models import Project
from apps.core.pages import project_page
from apps.datasets import exports, selectors, shapes
from apps.datasets.models import DatasetVersion
from apps.gpucloud import details

PAGE = selectors.PAGE_ROWS


@project_page()
def version_detail(request: HttpRequest, project: Project, version: UUID) -> HttpResponse:
    """What it is; `?tab=spec` shows what was asked of the job that made it."""
    actor = request.actor  # type: ignore[attr-defined]
    found = selectors.get_version(actor, project, version)
    if found.dataset.project_id != project.pk:
        return redirect("core:shared_detail", project.slug, found.pk)
    tab = details.tab_of(request, ("overview", "spec"))
    context = {
        "version": found,
        "tab": tab,
        "tabs": tabs(found, project, "detail" if tab == "overview" else tab),
        **(_overview(actor, found, project) if tab == "overview" else details.made_by(actor, found.artefact)),
    }
    return render(request, "datasets/version_detail.html", context)


def _overview(actor: Actor, version: DatasetVersion, project: Project) -> dict[str, Any]:
    first = selectors.read_rows(version, "data", 0, 3)
    return {
        "cards": [shapes.card(row, version.format, number) for number, row in enumerate(first, 1)],
        "source_format": shapes.format_label(version.source_format),
        "steps": shapes.report_steps(version.report),
        "reasons": shapes.reasons(version.report),
        "bars": shapes.histogram(version.report),
        "parents": selectors.parents_of(version, project),
        "maker": details.maker_of(actor, version.artefact),
        "children": shapes.made_of(selectors.children_of(version, project)[:20]),
    }


@project_page()
def version_rows(request: HttpRequest, project: Project, version: UUID) -> HttpResponse:
    """All rows, a page at a time."""
    found = selectors.get_version(request.actor, project, version)  # type: ignore[attr-defined]
    page = paged(request, found, "data", found.rows)
    start = page["offset"] + 1
    context = {"version": found, "tabs": tabs(found, project, "rows"), **page}
    if found.format == "table":
        context["cells"] = [[shapes.cell(row.get(name)) for name in found.columns] for row in page["rows"]]
    else:
        context["cards"] = [shapes.card(row, found.format, start + index) for index, row in enumerate(page["rows"])]
    return render(request, "datasets/version_rows.html", context)


@project_page()
def version_quarantine(request: HttpRequest, project: Project, version: UUID) -> HttpResponse:
    """Rows that could not be read, with the reason."""
    found = selectors.get_own_version(request.actor, project, version)  # type: ignore[attr-defined]
    page = paged(request, found, "quarantine", found.quarantined)
    bad = [row | {"label": shapes.bad_label(row["reason"])} for row in page["rows"]]
    context = {"version": found, "tabs": tabs(found, project, "quarantine"), **page, "bad": bad}
    return render(request, "datasets/version_quarantine.html", context)


@project_page()
def version_dropped(request: HttpRequest, project: Project, version: UUID) -> HttpResponse:
    """Rows that cleaning left out, with step and reason."""
    found = selectors.get_own_version(request.actor, project, version)  # type: ignore[attr-defined]
    page = paged(request, found, "dropped", found.dropped)
    context = {"version": found, "tabs": tabs(found, project, "dropped"), **page}
    context["cards"] = [shapes.dropped_card(row, found.format) for row in page["rows"]]
    return render(request, "datasets/version_dropped.html", context)


@project_page()
def version_export(request: HttpRequest, project: Project, version: UUID) -> StreamingHttpResponse:
    """All rows as a file: `?format=jsonl`, `csv` or `parquet`."""
    found = selectors.get_version(request.actor, project, version)  # type: ignore[attr-defined]
    return exports.export_version(found, request.GET.get("format", "jsonl"))


@project_page()
def version_lineage(request: HttpRequest, project: Project, version: UUID) -> HttpResponse:
    """What the version came from and what was made of it."""
    found = selectors.get_own_version(request.actor, project, version)  # type: ignore[attr-defined]
    graph = graph_context(request.actor, "dataset_version", found.pk)  # type: ignore[attr-defined]
    context = {"version": found, "tabs": tabs(found, project, "lineage"), **graph}
    return render(request, "datasets/version_lineage.html", context)


def tabs(version: DatasetVersion, project: Project, active: str) -> list[dict[str, Any]]:
    lines = [("detail", _("Overview"), None), ("rows", _("Rows"), version.rows)]
    own = version.dataset.project_id == project.pk
    if own and version.quarantined:
        lines.append(("quarantine", _("Quarantine"), version.quarantined))
    if own and version.dropped:
        lines.append(("dropped", _("Dropped"), version.dropped))
    if own:
        lines += [("lineage", _("Lineage"), None), ("spec", _("Spec"), None)]
    where = [project.slug, version.pk]
    urls = {"spec": reverse("datasets:version_detail", args=where) + "?tab=spec"}
    return [
        {
            "label": label,
            "count": count,
            "active": name == active,
            "url": urls.get(name) or reverse(f"datasets:version_{name}", args=where),
        }
        for name, label, count in lines
    ]


def paged(request: HttpRequest, version: DatasetVersion, name: str, count: int) -> dict[str, Any]:
    """Rows of the page that `?from=` (the number of its first row) names, and the addresses beside it."""
    text = request.GET.get("from", "1")
    first = min(max(int(text), 1), max(count, 1)) if text.isdecimal() and len(text) < 12 else 1
    offset = first - 1
    rows = selectors.read_rows(version, name, offset, PAGE) if count else []
    after = offset + len(rows)
    return {
        "rows": rows,
        "count": count,
        "offset": offset,
        "first": first,
        "last": after,
        "before_url": f"?from={max(1, first - PAGE)}" if first > 1 else "",
        "after_url": f"?from={after + 1}" if after < count else "",
    }
