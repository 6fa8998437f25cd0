"""Pages of jobs and nodes."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.core import lists
from apps.core.errors import InvalidInput, field_problems
from apps.core.lists import state
from apps.core.models import Project
from apps.core.pages import back, project_page
from apps.core.paramforms import ParamsForm
from apps.gpucloud import comparing, details, estimates, logs, selectors, services, shown
from apps.gpucloud.lists import JOBS, NODES, quota_rows, waiting_rows
from apps.gpucloud.models import Job, JobState
from apps.gpucloud.services.jobs import get_kind


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
    """One job; `?tab=` picks metrics, logs, files, lineage or spec."""
    actor = request.actor  # type: ignore[attr-defined]
    row = selectors.get_job(actor, job, project)
    tab = details.tab_of(request)
    address = reverse("gpucloud:job_detail", args=[project.slug, row.pk])
    context = {
        **details.frame(actor, row, tab, address),
        "duration_s": shown.duration_s(row),
        "can_run": actor.may("run_simple", project),
        "result": next(iter(details.outputs(row)), None) if row.state == JobState.SUCCEEDED else None,
        **(_overview(row) if tab == "overview" else {}),
    }
    return render(request, "gpucloud/job_detail.html", context)


def _overview(job: Job) -> dict[str, Any]:
    checkpoints = list(selectors.list_checkpoints(job))
    return {
        "attempts": [
            {"row": attempt, "reason": shown.reason(attempt.reason)} for attempt in selectors.list_attempts(job)
        ],
        "checkpoints": checkpoints,
        "waits_for": list(job.after.all()),
        "metrics": sorted(job.metrics.items()),
    }


@project_page()
def job_compare(request: HttpRequest, project: Project) -> HttpResponse:
    """Up to eight jobs, named by `ids` in the address, set beside each other. A list posts its choice here, so that no
    token of a form gets into the address."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        chosen = urlencode([("ids", id) for id in request.POST.getlist("ids")[: comparing.MOST + 1]])
        return redirect(f"{reverse('gpucloud:job_compare', args=[project.slug])}?{chosen}")
    jobs = comparing.get_runs(actor, project, request.GET.getlist("ids"))
    names = comparing.names_of(jobs)
    rows = [
        {
            "job": job,
            "name": name,
            "kind": shown.kind_label(job.kind),
            "duration_s": shown.duration_s(job),
            "without": "?" + urlencode([("ids", other.pk) for other in jobs if other.pk != job.pk]),
        }
        for job, name in zip(jobs, names, strict=True)
    ]
    others = selectors.list_jobs(actor, project).exclude(pk__in=[job.pk for job in jobs]).exclude(service=True)
    if jobs:
        others = others.filter(kind=jobs[0].kind)
    context = {
        "runs": rows,
        "named": json.dumps([{"id": str(row["job"].pk), "name": row["name"]} for row in rows]),
        "charts": comparing.charts_of(jobs),
        "figures": comparing.figures_of(jobs),
        "answers": comparing.answers_of(jobs),
        "settings": comparing.settings_of(jobs) if jobs else [],
        "addable": [
            {"job": job, "name": details.title_of(job), "kind": shown.kind_label(job.kind)} for job in others[:50]
        ],
    }
    return render(request, "gpucloud/job_compare.html", context)


@project_page()
def job_log(request: HttpRequest, project: Project, job: UUID) -> StreamingHttpResponse:
    """The whole log as a text file to take away."""
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    name = content_disposition_header(True, f"{details.title_of(row)}.log") or "attachment"
    headers = {"Content-Disposition": name, "Cache-Control": "private, no-store"}
    return StreamingHttpResponse(logs.whole(row), content_type="text/plain; charset=utf-8", headers=headers)


@project_page()
def job_samples(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """Part of the page of a run: what its model answered along the way, asked for again when there is more."""
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    return render(request, "gpucloud/_samples.html", {"job": row, **details.samples(row)})


@require_POST
@project_page()
def job_reproduce(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """Run it again on what it ran on; the page of the new job says whether the same came out."""
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    made = services.reproduce_job(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The job runs again on the same inputs; its page will say whether the same came out."))
    return redirect("gpucloud:job_detail", project=project.slug, job=made.pk)


@require_POST
@project_page()
def job_cancel(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    services.cancel_job(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The job is asked to stop."))
    return back(request, reverse("gpucloud:job_detail", args=[project.slug, row.pk]))


@require_POST
@project_page()
def job_retry(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    services.retry_job(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The job starts again from the beginning."))
    return back(request, reverse("gpucloud:job_detail", args=[project.slug, row.pk]))


@require_POST
@project_page()
def job_resume(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    step = request.POST.get("step", "")
    services.resume_job(request.actor, row, int(step) if step.isdecimal() else None)  # type: ignore[attr-defined]
    messages.success(request, _("The job goes on from its checkpoint."))
    return back(request, reverse("gpucloud:job_detail", args=[project.slug, row.pk]))


@require_POST
@project_page("run_simple")
def job_publish(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """Make a model of one of its checkpoints; leads to the job that does it."""
    row = selectors.get_job(request.actor, job, project)  # type: ignore[attr-defined]
    step = request.POST.get("step", "")
    name = request.POST.get("name", "").strip()
    made = services.publish_checkpoint(request.actor, row, int(step) if step.isdecimal() else 0, name)  # type: ignore[attr-defined]
    return redirect("gpucloud:job_detail", project=project.slug, job=made.pk)


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
    context = {"job": row, "form": form, "title": details.title_of(row)}
    return render(request, "gpucloud/job_clone.html", context | estimates.beside(actor, project, form))


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
    return render(request, "gpucloud/job_create.html", context | estimates.beside(actor, project, form))


@require_POST
@project_page("run_simple")
def job_estimate(request: HttpRequest, project: Project, kind: str) -> HttpResponse:
    """What a job would take by what stands in its form, as the fragment beside it."""
    actor = request.actor  # type: ignore[attr-defined]
    form = ParamsForm(get_kind(kind), project, request.POST, actor=actor)
    found = estimates.beside(actor, project, form, request.POST.get("cpus", ""))
    return render(request, "gpucloud/_estimate.html", found)


@project_page()
def node_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    """The machines, their devices and who uses what; what they do together comes after, in `cluster`."""
    return lists.show(request, project, NODES, "gpucloud/node_list.html")


@project_page()
def cluster(request: HttpRequest, project: Project) -> HttpResponse:
    """Part of the page of nodes: all of them in figures, what the project may use of them, and why the queue waits."""
    actor = request.actor  # type: ignore[attr-defined]
    held = selectors.list_held()
    context = {
        "cluster": selectors.cluster(held),
        "quota": quota_rows(selectors.get_quota(actor, project, held)),
        "queue": waiting_rows(actor, project),
    }
    return render(request, "gpucloud/_cluster.html", context)
