"""Versions of a prompt: save, list with differences, one version, publish."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import artefact_types
from apps.core.errors import Conflict, InvalidInput, LimitReached, translate
from apps.core.models import Project
from apps.core.pages import project_page
from apps.gpucloud import details
from apps.prompts import selectors, services, snippets
from apps.prompts.forms import CompareForm, PublishForm, ValuesForm, VersionForm
from apps.prompts.models import PromptVersion


@require_POST
@project_page("run_simple")
def version_create(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """Save the editor as the next version; what is wrong stands beside its field."""
    prompt = selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    newest = selectors.newest_version(prompt)
    form = VersionForm(request.POST, project=project)
    if form.is_valid():
        try:
            version = services.create_version(request.actor, prompt, **form.content())  # type: ignore[attr-defined]
        except (InvalidInput, LimitReached) as error:
            form.blame(error)
        else:
            if version == newest:
                messages.info(request, _("Nothing has changed since version %(number)d.") % {"number": version.number})
            else:
                messages.success(request, _("Saved as version %(number)d.") % {"number": version.number})
            return redirect("prompts:prompt_detail", project.slug, prompt.name)
    context = {
        "prompt": prompt,
        "version": newest,
        "next_number": newest.number + 1 if newest else 1,
        "form": form,
        "values": ValuesForm(variables=newest.variables if newest else []),
    }
    return render(request, "prompts/prompt_detail.html", context, status=400)


@project_page()
def version_list(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """All versions, and what changed between two of them: by default the last two."""
    prompt = selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    versions = list(selectors.list_versions(request.actor).filter(prompt=prompt)[:200])  # type: ignore[attr-defined]
    compare = CompareForm(request.GET)
    wanted = compare.cleaned_data if compare.is_valid() else {}
    context = {"prompt": prompt, "versions": versions}
    if len(versions) > 1:
        new = selectors.get_version(prompt, wanted.get("new") or versions[0].number)
        old = selectors.get_version(prompt, wanted.get("old") or max(1, new.number - 1))
        context |= {"old": old, "new": new, "lines": selectors.diff(old, new)}
    return render(request, "prompts/version_list.html", context)


@project_page()
def version_detail(request: HttpRequest, project: Project, name: str, number: int) -> HttpResponse:
    """One version; `?tab=` picks lineage or spec."""
    prompt = selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    return _page(request, selectors.get_version(prompt, number), PublishForm(initial={"name": prompt.name}))


def _page(request: HttpRequest, version: PromptVersion, form: PublishForm) -> HttpResponse:
    """A version with the form that publishes it; no job made it, so its spec is what it holds."""
    frame = details.thing_frame(request, "prompt_version", version.pk, artefact_types.url(version.artefact))
    context = {
        "prompt": version.prompt,
        "version": version,
        "services": version.services.order_by("name"),
        "form": form,
        **frame,
        **({"snippets": snippets.of_version(version)} if frame["tab"] == "spec" else {}),
    }
    return render(request, "prompts/version_detail.html", context, status=400 if form.errors else 200)


@require_POST
@project_page("publish")
def version_publish(request: HttpRequest, project: Project, name: str, number: int) -> HttpResponse:
    prompt = selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    version = selectors.get_version(prompt, number)
    form = PublishForm(request.POST)
    if form.is_valid():
        try:
            service = services.publish_version(request.actor, version, form.cleaned_data["name"])  # type: ignore[attr-defined]
        except (InvalidInput, Conflict) as error:
            form.add_error(
                "name", " ".join(translate(text, error.data) for text in (error.message, error.hint) if text)
            )
        else:
            messages.success(request, _("Published as prompt/%(name)s.") % {"name": service.name})
            return redirect("prompts:service_detail", project.slug, service.name)
    return _page(request, version, form)
