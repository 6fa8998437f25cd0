"""Deployments: list, create, one with its instances, usage and how to call it."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.core import lists
from apps.core.errors import AifsError, InvalidInput, translate
from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.paramforms import ParamsForm
from apps.gpucloud import details as gpucloud
from apps.gpucloud import estimates
from apps.lms import details, selectors, services, snippets
from apps.lms.forms import DeploymentForm, ExternalForm, ScaleForm
from apps.lms.lists import DEPLOYMENTS
from apps.lms.services.deployments import OWN_PARAMS


@project_page()
def deployment_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, DEPLOYMENTS, "lms/deployment_list.html")


@project_page("deploy")
def deployment_create(request: HttpRequest, project: Project) -> HttpResponse:
    """Simple: name, model, replicas. Expert: every parameter of the instances. `?model=` chooses the version."""
    actor = request.actor  # type: ignore[attr-defined]
    initial = selectors.proposal(actor, project, request.GET.get("model", ""))
    form = DeploymentForm(request.POST or None, actor=actor, project=project, initial=initial)
    params = ParamsForm("lms.serve", project, request.POST or None, actor=actor, exclude=tuple(OWN_PARAMS))
    if request.method == "POST" and form.is_valid() and params.is_valid():
        wanted = form.cleaned_data
        version, resources = wanted.pop("model"), {"cpus": wanted.pop("cpus")}
        given = params.params(resources=resources)
        try:
            deployment = services.create_deployment(
                actor, project, model_version=version, runtime_params=given, **wanted
            )
        except AifsError as error:
            add_error(form, error)
        else:
            return redirect("lms:deployment_detail", project.slug, deployment.name)
    status = 400 if form.errors or params.errors else 200
    start = {"model": str(initial.get("model", ""))}
    chosen = ParamsForm("lms.serve", project, request.POST or None, actor=actor, initial=start)
    context = {"form": form, "params": params, **estimates.beside(actor, project, chosen)}
    return render(request, "lms/deployment_create.html", context, status=status)


@project_page("deploy")
def deployment_connect(request: HttpRequest, project: Project) -> HttpResponse:
    """Put somebody else's endpoint behind the gateway."""
    form = ExternalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            deployment = services.create_deployment(request.actor, project, **form.cleaned_data)  # type: ignore[attr-defined]
        except AifsError as error:
            add_error(form, error)
        else:
            return redirect("lms:deployment_detail", project.slug, deployment.name)
    return render(request, "lms/deployment_connect.html", {"form": form}, status=400 if form.errors else 200)


@project_page()
def deployment_detail(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    deployment = selectors.get_deployment(actor, project, name)
    tab = gpucloud.tab_of(request, details.tabs_of(deployment))
    address = reverse("lms:deployment_detail", args=[project.slug, name])
    context: dict[str, Any] = {
        "deployment": deployment,
        "view": selectors.describe(deployment),
        "instances": selectors.instance_rows(deployment),
        "usage": selectors.usage_of(deployment),
        "snippets": snippets.of(settings.AIFS_GATEWAY_URL, deployment.name),
        "form": ScaleForm(actor=actor, deployment=deployment) if deployment.model_version_id else None,
        "may_deploy": actor.may("deploy", project),
        **details.deployment_frame(actor, deployment, tab, address, request.GET.get("instance", "")),
    }
    # htmx asks again every few seconds and gets the part that changes
    template = "lms/_deployment_state.html" if request.headers.get("HX-Request") else "lms/deployment_detail.html"
    return render(request, template, context)


@require_POST
@project_page("deploy")
def deployment_update(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """Another version, or more or fewer replicas."""
    actor = request.actor  # type: ignore[attr-defined]
    deployment = selectors.get_deployment(actor, project, name)
    form = ScaleForm(request.POST, actor=actor, deployment=deployment)
    if form.is_valid():
        changes = {"model_version": form.cleaned_data["model"], "replicas": form.cleaned_data["replicas"]}
        return _do(request, project, name, lambda: services.update_deployment(actor, deployment, **changes))
    messages.error(request, form.errors.as_text())
    return redirect("lms:deployment_detail", project.slug, name)


@require_POST
@project_page("deploy")
def deployment_start(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    deployment = selectors.get_deployment(request.actor, project, name)  # type: ignore[attr-defined]
    return _do(request, project, name, lambda: services.start_deployment(request.actor, deployment))  # type: ignore[attr-defined]


@require_POST
@project_page("deploy")
def deployment_stop(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    deployment = selectors.get_deployment(request.actor, project, name)  # type: ignore[attr-defined]
    return _do(request, project, name, lambda: services.stop_deployment(request.actor, deployment))  # type: ignore[attr-defined]


@require_POST
@project_page("deploy")
def deployment_delete(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    deployment = selectors.get_deployment(request.actor, project, name)  # type: ignore[attr-defined]
    try:
        services.delete_deployment(request.actor, deployment)  # type: ignore[attr-defined]
    except AifsError as error:
        messages.error(request, translate(error.message, error.data))
        return redirect("lms:deployment_detail", project.slug, name)
    return redirect("lms:deployment_list", project.slug)


def _do(request: HttpRequest, project: Project, name: str, deed: Any) -> HttpResponse:
    """Do it, say what is against it, and show the deployment again."""
    try:
        deed()
    except AifsError as error:
        messages.error(request, translate(error.message, error.data))
    return redirect("lms:deployment_detail", project.slug, name)


def add_error(form: Any, error: AifsError) -> None:
    """What a service says, beside the field it is about."""
    field = str(error.data.get("field", ""))
    field = "name" if error.code == "conflict" else {"url": "external_url"}.get(field, field)
    text = translate(error.message, error.data)
    if isinstance(error, InvalidInput) and error.hint:
        text = f"{text} {translate(error.hint, error.data)}"
    form.add_error(field if field in form.fields else None, text)
