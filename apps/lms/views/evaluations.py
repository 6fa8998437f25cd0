"""Evaluations: list, start one, look at one and set it beside another."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.core import lists
from apps.core.access import Actor
from apps.core.errors import InvalidInput, field_problems
from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.paramforms import ParamsForm
from apps.gpucloud import details as gpucloud
from apps.gpucloud import estimates
from apps.gpucloud.services import submit_job
from apps.lms import details, selectors
from apps.lms.lists import EVALUATIONS
from apps.lms.models import Evaluation


@project_page()
def evaluation_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, EVALUATIONS, "lms/evaluation_list.html")


@project_page("run_simple")
def evaluation_create(request: HttpRequest, project: Project) -> HttpResponse:
    """The form of `lms.evaluate`; `?model=` chooses the model beforehand."""
    actor = request.actor  # type: ignore[attr-defined]
    initial = {name: request.GET[name] for name in ("model", "suite", "benchmark", "dataset") if name in request.GET}
    form = ParamsForm(
        "lms.evaluate", project, request.POST or None, request.FILES or None, actor=actor, initial=initial
    )
    if request.method == "POST" and form.is_valid():
        try:
            job = submit_job(actor, project, "lms.evaluate", form.params())
        except InvalidInput as error:
            form.add_errors(field_problems(error))
        else:
            return redirect("gpucloud:job_detail", project.slug, job.pk)
    context = {"form": form, **estimates.beside(actor, project, form)}
    return render(request, "lms/evaluation_create.html", context, status=400 if form.errors else 200)


@project_page()
def evaluation_detail(request: HttpRequest, project: Project, id: str) -> HttpResponse:
    """Per-subject results; `?with=` sets another evaluation of the same suite beside it; `?tab=` as for any job."""
    actor = request.actor  # type: ignore[attr-defined]
    evaluation = selectors.get_evaluation(actor, project, id)
    other = selectors.get_evaluation(actor, project, request.GET["with"]) if request.GET.get("with") else None
    tab = gpucloud.tab_of(request, details.EVALUATION_TABS)
    address = reverse("lms:evaluation_detail", args=[project.slug, evaluation.pk])
    context = {
        **details.evaluation_frame(actor, evaluation, tab, address),
        "evaluation": evaluation,
        "other": other,
        **(_results(actor, evaluation, other) if tab == "overview" else {}),
    }
    return render(request, "lms/evaluation_detail.html", context)


def _results(actor: Actor, evaluation: Evaluation, other: Evaluation | None) -> dict[str, Any]:
    return {
        "held_out": selectors.held_out(evaluation),
        "rows": selectors.compare(evaluation, other),
        "others": selectors.comparable(evaluation, actor)[:50],
        "answers": selectors.compare_answers(evaluation, other),
    }
