"""The list of datasets, and one dataset with its versions."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core.models import Project
from apps.core.pages import project_page
from apps.datasets import selectors, services
from apps.datasets.forms import DatasetForm
from apps.datasets.models import DatasetKind

PAGE = 50


@project_page()
def dataset_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Filters and the place in the list stand in the address: `q`, `kind`, `before` (id of the last one seen)."""
    query, kind = request.GET.get("q", "").replace("\0", "").strip(), request.GET.get("kind", "")
    found = selectors.list_datasets(request.actor).filter(project=project)  # type: ignore[attr-defined]
    if query:
        found = found.filter(name__icontains=query)
    if kind in DatasetKind.values:
        found = found.filter(kind=kind)
    rows = list(selectors.older_than(found, request.GET.get("before", ""))[: PAGE + 1])
    context = {
        "datasets": rows[:PAGE],
        "query": query,
        "kind": kind,
        "kinds": DatasetKind.choices,
        "last": rows[PAGE - 1] if len(rows) > PAGE else None,
    }
    return render(request, "datasets/dataset_list.html", context)


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
