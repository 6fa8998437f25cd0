"""The first page of a project: the whole way as one picture, what comes next, what runs, what needs attention."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core import dashboard as registry
from apps.core import navigation
from apps.core.models import Project
from apps.core.pages import project_page


@project_page()
def dashboard(request: HttpRequest, project: Project) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    stages = registry.stages(actor, project)
    context = {
        "stages": stages,
        "done": sum(1 for line in stages if line["count"]),
        "next": next((line for line in stages if line["next"]), None),
        "month": registry.this_month(actor, project),
        "cards": navigation.cards(actor, project),
    }
    template = "core/_pipeline.html" if request.headers.get("HX-Request") else "core/dashboard.html"
    return render(request, template, context)
