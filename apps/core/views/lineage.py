"""Where things come from: the newest artefacts of a project, and the graph around one."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.core import artefact_types, selectors
from apps.core.graph import layered
from apps.core.models import Project
from apps.core.pages import project_page


@project_page()
def artefact_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Newest first; `?type=` narrows."""
    type = request.GET.get("type", "").strip()[:40]
    artefacts = project.artefacts.order_by("-created_at")
    if type:
        artefacts = artefacts.filter(type=type)
    page = Paginator(artefacts.defer("manifest"), 50).get_page(request.GET.get("page"))
    rows = [{"artefact": row, "label": artefact_types.label(row.type)} for row in page]
    types = [(name, artefact_types.label(name)) for name in artefact_types.names()]
    return render(request, "core/artefact_list.html", {"page": page, "rows": rows, "types": types, "type": type})


@project_page()
def lineage_detail(request: HttpRequest, project: Project, type: str, id: UUID) -> HttpResponse:
    """Generations from left (sources) to right (what was made)."""
    found = selectors.lineage(request.actor, type, id)  # type: ignore[attr-defined]
    if found.centre.project_id != project.pk:
        return redirect("core:lineage_detail", found.centre.project.slug, type, id)
    context = {"centre": found.centre, "graph": layered(found), "truncated": found.truncated}
    return render(request, "core/lineage_detail.html", context)
