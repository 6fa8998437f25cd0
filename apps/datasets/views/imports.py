"""The import wizard: a file, what AIFS makes of it, and the job that brings it in."""

from pathlib import PurePath
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import selectors as core
from apps.core.errors import AifsError, Conflict, InvalidInput, field_problems, translate
from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.paramforms import ParamsForm
from apps.datasets import previews, samples, shapes
from apps.gpucloud import estimates
from apps.gpucloud.services import submit_job

KIND = "datasets.import"
CHOICES = ("format", "encoding", "kind")


@project_page("run_simple")
def import_create(request: HttpRequest, project: Project) -> HttpResponse:
    """The wizard; a POST starts the import."""
    form = make_form(request, project)
    if request.method == "POST" and form.is_valid():
        try:
            job = submit_job(request.actor, project, KIND, form.params(), name=form.cleaned_data["name"])  # type: ignore[attr-defined]
        except InvalidInput as error:
            form.add_errors(field_problems(error))
        else:
            return redirect("gpucloud:job_detail", project.slug, job.pk)
    return show(request, form, {})


@require_POST
@project_page("run_simple")
def import_preview(request: HttpRequest, project: Project) -> HttpResponse:
    """What the file is and its first rows: a fragment for htmx, else the whole page with the file kept."""
    form = make_form(request, project)
    form.full_clean()
    found = look_at(request, project, form)
    if request.headers.get("HX-Request"):
        return render(request, "datasets/_import_preview.html", {"form": form, **found})
    form.errors.pop("name", None)
    return show(request, form, found)


@require_POST
@project_page("run_simple")
def sample_import(request: HttpRequest, project: Project) -> HttpResponse:
    """The rows of the demo, for a project that has none yet; back to the checklist, which ticks itself."""
    try:
        samples.import_samples(request.actor, project)  # type: ignore[attr-defined]
    except Conflict as error:
        messages.warning(request, translate(error.message, error.data))
    else:
        messages.success(request, _("The sample data is being imported."))
    return redirect("core:dashboard", project=project.slug)


def make_form(request: HttpRequest, project: Project) -> ParamsForm:
    data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    initial = {key: request.GET[key] for key in ("name", "kind") if key in request.GET}
    return ParamsForm(KIND, project, data, files, actor=request.actor, initial=initial)  # type: ignore[attr-defined]


def look_at(request: HttpRequest, project: Project, form: ParamsForm) -> dict[str, Any]:
    """{"found": the preview, "suggested": a name, empty where one was typed} or {"problem", "hint"}."""
    wrong = [str(text) for name in ("source", *CHOICES) for text in form.errors.get(name, [])]
    if wrong:
        return {"problem": " ".join(wrong)}
    upload = core.get_upload(request.actor, project, form.cleaned_data["source"])  # type: ignore[attr-defined]
    wanted = {key: form.cleaned_data.get(key) or "auto" for key in CHOICES}
    try:
        found = previews.preview_upload(upload, **wanted)
    except AifsError as error:
        return {"problem": translate(error.message, error.data), "hint": translate(error.hint, error.data)}
    suggested = suggested_name(upload.filename)
    free = request.POST.get("name", "").strip() in ("", request.POST.get("suggested"))  # nobody has typed another
    return {"found": shapes.import_preview(found), "upload": upload, "suggested": suggested if free else ""}


def suggested_name(filename: str) -> str:
    return PurePath(filename.removesuffix(".gz")).stem[:120]


def show(request: HttpRequest, form: ParamsForm, found: dict[str, Any]) -> HttpResponse:
    """The page. A file that is here already stays: the form carries its id instead of the file."""
    wrong = form.is_bound and bool(form.errors)
    kept = (form.cleaned_data.get("source") or "") if form.is_bound else ""
    if kept:
        form.data = form.data.copy()
        form.data["source"], form.files = kept, {}
    context = {"form": form, "kept": kept, **found, **estimates.beside(request.actor, form.project, form)}  # type: ignore[attr-defined]
    return render(request, "datasets/import_create.html", context, status=400 if wrong and not found else 200)
