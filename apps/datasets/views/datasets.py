"""The list of datasets, and one dataset with its versions."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import lists
from apps.core.models import Project
from apps.core.pages import project_page
from apps.datasets import selectors, services
from apps.datasets.forms import DatasetForm
from apps.datasets.lists import DATASETS


@project_page()
def dataset_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, DATASETS, "datasets/dataset_list.html")


@project_page()
def dataset_detail(request: HttpRequest, project: Project, dataset: UUID) -> HttpResponse:
    found = selectors.get_dataset(request.actor, project, dataset)  # type: ignore[attr-defined]
    versions = selectors.list_versions(request.actor).filter(dataset=found).order_by("-number")  # type: ignore[attr-defined]
    context = {"dataset": found, "versions": versions[:200], "form": DatasetForm(instance=found)}
    return render(request, "datasets/dataset_detail.html", context)


@require_POST
@project_page("run_simple")
def dataset_update(request: HttpRequest, project: Project, dataset: UUID) -> HttpResponse:
    found = selectors.get_dataset(request.actor, project, dataset)  # type: ignore[attr-defined]
    form = DatasetForm(request.POST, instance=found)
    if not form.is_valid():
        versions = selectors.list_versions(request.actor).filter(dataset=found).order_by("-number")  # type: ignore[attr-defined]
        context = {"dataset": found, "versions": versions[:200], "form": form}
        return render(request, "datasets/dataset_detail.html", context, status=400)
    services.update_dataset(request.actor, found, **form.cleaned_data)  # type: ignore[attr-defined]
    messages.success(request, _("Saved."))
    return redirect("datasets:dataset_detail", project.slug, found.pk)


@require_POST
@project_page("run")
def dataset_delete(request: HttpRequest, project: Project, dataset: UUID) -> HttpResponse:
    found = selectors.get_dataset(request.actor, project, dataset)  # type: ignore[attr-defined]
    services.delete_dataset(request.actor, found)  # type: ignore[attr-defined]
    messages.success(request, _("The dataset “%(name)s” is deleted.") % {"name": found.name})
    return redirect("datasets:dataset_list", project.slug)
