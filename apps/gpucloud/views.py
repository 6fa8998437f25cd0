"""Pages of jobs and nodes."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.core import artefact_types, lists
from apps.core.errors import InvalidInput, field_problems
from apps.core.lists import state
from apps.core.models import Artefact, Project
from apps.core.pages import project_page
from apps.core.paramforms import ParamsForm
from apps.gpucloud import selectors, services, shown
from apps.gpucloud.lists import JOBS, NODES
from apps.gpucloud.models import Job, JobState
from apps.gpucloud.services.jobs import get_kind

TABS = ("overview", "metrics", "logs", "files", "spec")


@project_page()
def job_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, JOBS, "gpucloud/job_list.html")


@require_POST
@project_page("run_simple")
def job_cancel_many(request: HttpRequest, project: Project) -> HttpResponse:
    """Cancel the jobs named by `ids`; those that have ended meanwhile stay as they are. Back to the list as it was."""
    asked, ended = services.cancel_jobs(request.actor, project, request.POST.getlist("ids"))  # type: ignore[attr-defined]
    if asked:
        said = ngettext("%(count)d job is asked to stop.", "%(count)d jobs are asked to stop.", asked)
        messages.success(request, said % {"count": asked})
    if ended or not asked:
        said = ngettext("%(count)d job had ended already.", "%(count)d jobs had ended already.", ended)
        messages.warning(request, said % {"count": ended} if ended else _("Choose some jobs first."))
    query = state.normal(JOBS, request.POST.get("back", ""))
    return redirect(f"{reverse('gpucloud:job_list', args=[project.slug])}?{query or 'all=1'}")


@project_page()
def job_detail(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """One job; `?tab=` picks metrics, logs, files or spec."""
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "overview"
    address = reverse("gpucloud:job_detail", args=[project.slug, row.pk])
    labels = {
        "overview": _("Overview"),
        "metrics": _("Metrics"),
        "logs": _("Logs"),
        "files": _("Inputs & outputs"),
        "spec": _("Spec"),
    }
    context = {
        "job": row,
        "kind_label": shown.kind_label(row.kind),
        "reason": shown.reason(row.reason),
        "progress": shown.bar(row.progress),
        "duration_s": shown.duration_s(row),
        "tab": tab,
        "tabs": [
            {
                "label": label,
                "url": address if name == "overview" else f"{address}?tab={name}",
                "active": name == tab,
                "count": None,
            }
            for name, label in labels.items()
        ],
        "active": row.state in Job.ACTIVE,
        "can_run": request.actor.may("run_simple", project),  # type: ignore[attr-defined]
        "result": next(iter(_outputs(row)), None) if row.state == JobState.SUCCEEDED else None,
        **TAB_CONTEXT[tab](row),
    }
    return render(request, "gpucloud/job_detail.html", context)


def _overview(job: Job) -> dict[str, Any]:
    checkpoints = list(selectors.list_checkpoints(job))
    return {
        "attempts": [
            {"row": attempt, "reason": shown.reason(attempt.reason)} for attempt in selectors.list_attempts(job)
        ],
        "checkpoints": checkpoints,
        "can_resume": any(checkpoint.broken_at is None for checkpoint in checkpoints),
        "waits_for": list(job.after.all()),
        "metrics": sorted(job.metrics.items()),
    }


def _files(job: Job) -> dict[str, Any]:
    inputs = [
        {
            "name": row.name,
            "artefact": row.artefact,
            "url": artefact_types.url(row.artefact),
            "type": artefact_types.label(row.artefact.type),
        }
        for row in job.inputs.select_related("artefact__project")
    ]
    return {"inputs": inputs, "outputs": _outputs(job)}


def _outputs(job: Job) -> list[dict[str, Any]]:
    """What it made, the main thing first, each with its address."""
    made = Artefact.objects.filter(project_id=job.project_id, job_id=job.pk).select_related("project").order_by("id")
    return [
        {"artefact": artefact, "url": artefact_types.url(artefact), "type": artefact_types.label(artefact.type)}
        for artefact in made
    ]


def _spec(job: Job) -> dict[str, Any]:
    spec = {
        "kind": job.kind,
        "params": job.params,
        "resources": job.resources,
        "seed": job.seed,
        "priority": job.priority,
    }
    return {"spec": {"project": job.project.slug, **spec}, "command": command(job), "api_path": "/api/v1/jobs/"}


def command(job: Job) -> str:
    """The `aifs` command that starts the same job."""
    pairs = [
        f"--param {name}={value}"
        for name, value in job.params.items()
        if isinstance(value, str | int | float) and value != ""
    ]
    return " ".join(["aifs job start", job.kind, *pairs])


TAB_CONTEXT = {"overview": _overview, "metrics": lambda job: {}, "logs": lambda job: {}, "files": _files, "spec": _spec}


@require_POST
@project_page()
def job_cancel(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    services.cancel_job(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The job is asked to stop."))
    return redirect("gpucloud:job_detail", project=project.slug, job=row.pk)


@require_POST
@project_page()
def job_retry(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    services.retry_job(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The job starts again from the beginning."))
    return redirect("gpucloud:job_detail", project=project.slug, job=row.pk)


@require_POST
@project_page()
def job_resume(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    services.resume_job(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The job goes on from its newest checkpoint."))
    return redirect("gpucloud:job_detail", project=project.slug, job=row.pk)


@project_page("run_simple")
def job_clone(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """A new job like this one, after its parameters have been looked over."""
    actor = request.actor  # type: ignore[attr-defined]
    row = selectors.get_job(actor, job, project)
    form = ParamsForm(row.kind, project, request.POST or None, request.FILES or None, actor=actor, initial=row.params)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.clone_job(actor, row, params=form.params(all=True))
            return redirect("gpucloud:job_detail", project=project.slug, job=made.pk)
        except InvalidInput as error:
            form.add_errors(field_problems(error))
    return render(
        request, "gpucloud/job_clone.html", {"job": row, "form": form, "kind_label": shown.kind_label(row.kind)}
    )


@project_page("run_simple")
def job_create(request: HttpRequest, project: Project, kind: str) -> HttpResponse:
    """Start a job of any kind; the areas of work have pages of their own for the usual ones."""
    actor = request.actor  # type: ignore[attr-defined]
    definition = get_kind(kind)
    form = ParamsForm(definition, project, request.POST or None, request.FILES or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.submit_job(actor, project, kind, form.params())
            return redirect("gpucloud:job_detail", project=project.slug, job=made.pk)
        except InvalidInput as error:
            form.add_errors(field_problems(error))
    context = {"form": form, "kind": definition, "kind_label": shown.kind_label(kind)}
    return render(request, "gpucloud/job_create.html", context)


@project_page()
def node_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    """The machines, their devices, and who uses what."""
    return lists.show(request, project, NODES, "gpucloud/node_list.html")
