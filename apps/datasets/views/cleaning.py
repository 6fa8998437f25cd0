"""The recipe editor: steps on one side, what they do to the first rows on the other."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from apps.core.access import Actor
from apps.core.errors import AifsError, InvalidInput, translate
from apps.core.models import Project
from apps.core.pages import project_page
from apps.datasets import previews, selectors, shapes
from apps.datasets.forms import RecipeForm
from apps.datasets.models import DatasetVersion
from apps.gpucloud import estimates
from apps.gpucloud.services import submit_job
from workers.kinds import kinds

KIND = "datasets.clean"


@project_page("run_simple")
def clean_create(request: HttpRequest, project: Project, version: UUID) -> HttpResponse:
    """The editor with the default recipe; a POST starts the cleaning."""
    found = selectors.get_version(request.actor, project, version)  # type: ignore[attr-defined]
    form = RecipeForm(project, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        params: dict[str, Any] = {"dataset": str(found.pk), "name": form.name, "steps": form.recipe()}
        name = form.name or found.dataset.name
        try:
            job = submit_job(request.actor, project, KIND, params, name=name)  # type: ignore[attr-defined]
        except InvalidInput as error:
            form.error = translate(error.message, error.data)
        else:
            return redirect("gpucloud:job_detail", project.slug, job.pk)
    context = {"version": found, "form": form}
    return render(request, "datasets/clean_create.html", context, status=400 if request.method == "POST" else 200)


@require_POST
@project_page("run_simple")
def clean_preview(request: HttpRequest, project: Project, version: UUID) -> HttpResponse:
    """The recipe on the first rows: a fragment for htmx, else the whole page with it."""
    found = selectors.get_version(request.actor, project, version)  # type: ignore[attr-defined]
    form = RecipeForm(project, request.POST)
    context = {"version": found, "form": form, **tried(request.actor, project, found, form)}  # type: ignore[attr-defined]
    whole = "datasets/clean_create.html" if not request.headers.get("HX-Request") else "datasets/_clean_preview.html"
    return render(request, whole, context)


def tried(actor: Actor, project: Project, version: DatasetVersion, form: RecipeForm) -> dict[str, Any]:
    """{"trial"} with what all rows will take, or {"problem"}."""
    if not form.is_valid():
        wrong = [(step, step.errors) for step in form.steps if step.use and step.errors]
        texts = [f"{step.label}: {' '.join(map(str, next(iter(errors.values()))))}" for step, errors in wrong]
        return {"problem": " ".join(filter(None, [form.error, *texts]))}
    try:
        trial = shapes.trial(previews.try_recipe(version, form.recipe()))
    except AifsError as error:
        return {"problem": translate(error.message, error.data)}
    kind, params = kinds.get(KIND), {"dataset": str(version.pk), "steps": form.recipe()}
    return {"trial": trial, **estimates.told(actor, project, kind, params, kind.resources)}
