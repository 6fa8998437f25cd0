"""The model store: list, import, a model and its versions."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import lists
from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput, field_problems, translate
from apps.core.lineage import lineage
from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.paramforms import ParamsForm
from apps.gpucloud import details, estimates
from apps.gpucloud.services import submit_job
from apps.lms import cards, selectors, services
from apps.lms.forms import CardForm, ModelForm
from apps.lms.lists import MODELS
from apps.lms.models import Model, ModelVersion

EVALUATIONS_SHOWN = 8


@project_page()
def model_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, MODELS, "lms/model_list.html")


@project_page("run_simple")
def model_import(request: HttpRequest, project: Project) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    form = ParamsForm("lms.import", project, request.POST or None, request.FILES or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        try:
            job = submit_job(actor, project, "lms.import", form.params(), name=form.cleaned_data["name"])
        except InvalidInput as error:
            form.add_errors(field_problems(error))
        else:
            return redirect("gpucloud:job_detail", project.slug, job.pk)
    context = {"form": form, **estimates.beside(actor, project, form)}
    return render(request, "lms/model_import.html", context, status=400 if form.errors else 200)


@project_page()
def model_detail(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    model = selectors.get_model(request.actor, project, name)  # type: ignore[attr-defined]
    return _version_page(request, project, model, model.versions.order_by("-number").first())


@project_page()
def version_detail(request: HttpRequest, project: Project, name: str, number: int) -> HttpResponse:
    version = selectors.get_version(request.actor, project, f"{name}:{number}")  # type: ignore[attr-defined]
    model = selectors.get_model(request.actor, project, name)  # type: ignore[attr-defined]
    return _version_page(request, project, model, version)


def _version_page(request: HttpRequest, project: Project, model: Model, version: ModelVersion | None) -> HttpResponse:
    """One page for both: the model with one of its versions open; `?tab=` picks lineage or spec of that version."""
    frame = details.artefact_frame(request, version.artefact) if version else {"tab": "overview"}
    context = {"model": model, "version": version, **frame}
    if frame["tab"] == "overview":
        context |= _overview(request.actor, project, model, version)  # type: ignore[attr-defined]
    return render(request, "lms/model_detail.html", context)


def _overview(actor: Actor, project: Project, model: Model, version: ModelVersion | None) -> dict[str, Any]:
    context: dict[str, Any] = {"form": ModelForm(instance=model)}
    if version:
        evaluations = selectors.list_evaluations(actor).filter(artefact__project=project)
        context |= {
            "versions": model.versions.select_related("artefact", "base__model").order_by("-number"),
            "evaluations": evaluations.filter(model_version=version)[:EVALUATIONS_SHOWN],
            "before_after": selectors.before_after(actor, version),
            "deployments": selectors.list_deployments(actor).filter(model_version=version, project=project),
            "maker": details.maker_of(actor, version.artefact),
            "came_from": lineage(actor, "model_version", version.pk, "up", 1).parents(),
            "card": cards.render(version.card),
            "card_form": CardForm(instance=version),
        }
    return context


@require_POST
@project_page("run_simple")
def model_edit(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    model = selectors.get_model(request.actor, project, name)  # type: ignore[attr-defined]
    form = ModelForm(request.POST)
    if form.is_valid():
        services.update_model(request.actor, model, **form.cleaned_data)  # type: ignore[attr-defined]
    else:
        messages.error(request, _("The description could not be saved: %(error)s") % {"error": form.errors.as_text()})
    return redirect("lms:model_detail", project.slug, model.name)


@require_POST
@project_page("run_simple")
def version_card(request: HttpRequest, project: Project, name: str, number: int) -> HttpResponse:
    version = selectors.get_version(request.actor, project, f"{name}:{number}")  # type: ignore[attr-defined]
    form = CardForm(request.POST)
    if form.is_valid():
        services.update_model_version(request.actor, version, card=form.cleaned_data["card"])  # type: ignore[attr-defined]
    return redirect("lms:version_detail", project.slug, name, number)


@require_POST
@project_page("run")
def model_delete(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    model = selectors.get_model(request.actor, project, name)  # type: ignore[attr-defined]
    try:
        services.delete_model(request.actor, model)  # type: ignore[attr-defined]
    except Conflict as error:
        messages.error(request, translate(error.message, error.data))
        return redirect("lms:model_detail", project.slug, name)
    return redirect("lms:model_list", project.slug)
