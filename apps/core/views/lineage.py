"""Where things come from: the newest artefacts of a project, and the graph around one."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from apps.core import lists, selectors
from apps.core.graph import layered
from apps.core.lists.own import ARTEFACTS
from apps.core.models import Project
from apps.core.pages import project_page


@project_page()
def artefact_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, ARTEFACTS, "core/artefact_list.html")


@project_page()
def lineage_detail(request: HttpRequest, project: Project, type: str, id: UUID) -> HttpResponse:
    """Generations from left (sources) to right (what was made)."""
    found = selectors.lineage(request.actor, type, id)  # type: ignore[attr-defined]
    if found.centre.project_id != project.pk:
        return redirect("core:lineage_detail", found.centre.project.slug, type, id)
    context = {"centre": found.centre, "graph": layered(found), "truncated": found.truncated}
    return render(request, "core/lineage_detail.html", context)
