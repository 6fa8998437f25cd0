"""Where things come from: the newest artefacts of a project, and the graph around one."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from apps.core import lists
from apps.core.lineage import address, graph_context
from apps.core.lists.own import ARTEFACTS
from apps.core.models import Project
from apps.core.pages import project_page


@project_page()
def artefact_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, ARTEFACTS, "core/artefact_list.html")


@project_page()
def lineage_detail(request: HttpRequest, project: Project, type: str, id: UUID) -> HttpResponse:
    """Generations from left (sources) to right (what was made); `?direction=` and `?depth=` narrow."""
    context = graph_context(request.actor, type, id, request.GET)  # type: ignore[attr-defined]
    centre = context["found"].centre
    if centre.project.pk != project.pk:
        return redirect(address(centre))
    return render(request, "core/lineage_detail.html", context | {"centre": centre})
