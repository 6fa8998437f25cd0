"""Tuning runs: list, start one, look at one."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.core import lists
from apps.core.access import Actor
from apps.core.errors import InvalidInput, field_problems
from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.paramforms import ParamsForm
from apps.gpucloud import details, estimates, shown
from apps.gpucloud.models import Job
from apps.lms.selectors import before_after
from apps.lmt import selectors, services
from apps.lmt.lists import RUNS
from workers.kinds import Resources, kinds

DEFAULT_KIND = "lmt.sft"


@project_page()
def run_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    """With the held-out loss before and after."""
    return lists.show(request, project, RUNS, "lmt/run_list.html")


@project_page("run_simple")
def run_create(request: HttpRequest, project: Project) -> HttpResponse:
    """The form of a way to tune (`?kind=`); `?model=`, `?dataset=` and other parameters start it filled in."""
    kind = kind_of(request)
    form = form_of(request, project, kind)
    if request.method == "POST" and form.is_valid():
        try:
            run = services.start_run(request.actor, project, kind, form.params())  # type: ignore[attr-defined]
        except InvalidInput as error:
            form.add_errors(field_problems(error))
        else:
            return redirect("lmt:run_detail", project.slug, run.pk)
    context = {"form": form, "kind": kind, "kinds": [(name, shown.kind_label(name)) for name in selectors.run_kinds()]}
    context |= estimates.beside(request.actor, project, form)  # type: ignore[attr-defined]
    return render(request, "lmt/run_create.html", context, status=400 if form.errors else 200)


@project_page()
def run_detail(request: HttpRequest, project: Project, run: UUID) -> HttpResponse:
    """What went in, how the loss fell, what came out, and what to do with it; `?tab=` as on the page of any job."""
    actor = request.actor  # type: ignore[attr-defined]
    job = selectors.get_run(actor, project, run)
    story = selectors.begun(*selectors.tell([job]))
    tab = details.tab_of(request)
    context = {
        **details.frame(actor, job, tab, reverse("lmt:run_detail", args=[project.slug, job.pk])),
        "run": job,
        "story": story,
        "can_run": actor.may("run_simple", project),
        "can_deploy": actor.may("deploy", project),
        **(_overview(actor, project, job, story) if tab == "overview" else {}),
    }
    return render(request, "lmt/run_detail.html", context)


def _overview(actor: Actor, project: Project, job: Job, story: selectors.Story) -> dict[str, Any]:
    expected = estimates.of_job(actor, job)
    return {
        **details.charts(actor, job),
        "rows": job.result.get("rows") or {},
        "estimate": expected,
        "expected_cost": estimates.cost(expected, Resources(**job.resources)) if expected else None,
        "measured": selectors.measured(job),
        "comparisons": before_after(actor, story.made) if story.made else [],
    }


# --- what the views share


def kind_of(request: HttpRequest) -> str:
    """The way to tune that the address names, if there is such a one."""
    kind = request.GET.get("kind", DEFAULT_KIND)
    return kind if kind in selectors.run_kinds() else DEFAULT_KIND


def form_of(request: HttpRequest, project: Project, kind: str) -> ParamsForm:
    """Bound to a POST; else started with what the address says."""
    bound = request.method == "POST"
    initial = {name: value for name, value in request.GET.items() if name in kinds.get(kind).params.model_fields}
    data = request.POST if bound else None
    return ParamsForm(kind, project, data, request.FILES or None, actor=request.actor, initial=initial)  # type: ignore[attr-defined]
