"""List of prompts and the editor with its test bench."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import lists
from apps.core.errors import AifsError, Conflict, InvalidInput, translate
from apps.core.models import Project
from apps.core.pages import project_page
from apps.prompts import running, selectors, services, templating
from apps.prompts.forms import PromptForm, ValuesForm, VersionForm
from apps.prompts.lists import PROMPTS


@project_page()
def prompt_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, PROMPTS, "prompts/prompt_list.html")


@project_page("run_simple")
def prompt_create(request: HttpRequest, project: Project) -> HttpResponse:
    """An empty one, or (`?from=`) one that begins as a version the project may read."""
    actor = request.actor  # type: ignore[attr-defined]
    source = selectors.get_readable(actor, project, request.GET["from"]) if request.GET.get("from") else None
    form = PromptForm(request.POST or None, initial={"name": source.prompt.name} if source else None)
    if request.method == "POST" and form.is_valid():
        try:
            prompt = (
                services.copy_prompt(actor, project, source, **form.cleaned_data)
                if source
                else services.create_prompt(actor, project, **form.cleaned_data)
            )
        except (InvalidInput, Conflict) as error:
            form.add_error("name", translate(error.message, error.data))
        else:
            return redirect("prompts:prompt_detail", project.slug, prompt.name)
    context = {"form": form, "source": source}
    return render(request, "prompts/prompt_create.html", context, status=400 if form.errors else 200)


@project_page()
def prompt_detail(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """The editor, with the newest version or the one `?version=` names."""
    prompt = selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    number = request.GET.get("version", "")
    newest = selectors.newest_version(prompt)
    version = selectors.get_version(prompt, int(number)) if number.isdecimal() else newest
    context = {
        "prompt": prompt,
        "version": version,
        "next_number": newest.number + 1 if newest else 1,
        "form": VersionForm.of(version, project),
        "values": ValuesForm(variables=version.variables if version else []),
    }
    return render(request, "prompts/prompt_detail.html", context)


@require_POST
@project_page("run_simple")
def prompt_check(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """The fields of the test bench for what stands in the editor now, or what is wrong with the template."""
    selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    form = VersionForm(request.POST, project=project)
    try:
        _draft, variables, _settings = _checked(form)
    except AifsError as error:
        context = {"problem": translate(error.message, error.data)}
        return render(request, "prompts/_values.html", context)
    values = ValuesForm(request.POST, variables=variables).being_filled()
    return render(request, "prompts/_values.html", {"values": values})


@require_POST
@project_page("run_simple")
def prompt_test(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """Run what stands in the editor with the values beside it, without saving; a fragment with the answer."""
    selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    form = VersionForm(request.POST, project=project)
    try:
        draft, variables, settings = _checked(form)
        inputs = ValuesForm(request.POST, variables=variables).inputs()
        rendered = templating.render(draft, variables, inputs)
        answer = running.answer(project, form.cleaned_data["deployment"], rendered, settings)
    except AifsError as error:
        problem = translate(error.message, error.data)
        return render(request, "prompts/_answer.html", {"problem": problem, "hint": translate(error.hint, error.data)})
    return render(request, "prompts/_answer.html", {"answer": answer, "messages_sent": rendered})


@require_POST
@project_page("run_simple")
def prompt_delete(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    prompt = selectors.get_prompt(request.actor, project, name)  # type: ignore[attr-defined]
    services.delete_prompt(request.actor, prompt)  # type: ignore[attr-defined]
    messages.success(request, _("The prompt “%(name)s” is deleted.") % {"name": name})
    return redirect("prompts:prompt_list", project.slug)


def _checked(form: VersionForm) -> tuple[list[dict], list[dict], dict]:
    """Messages, variables and settings of the editor. Raises InvalidInput."""
    if not form.is_valid():
        field, problems = next(iter(form.errors.items()))
        raise InvalidInput(str(problems[0]), errors=[{"field": field, "message": str(problems[0])}])
    content = form.content()
    return templating.check(content["messages"], content["variables"], content["settings"])
