"""Published prompts: how to call one, which version answers, and a page to talk to it."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as noop
from django.views.decorators.http import require_POST

from apps.core import lists
from apps.core.errors import Conflict, InvalidInput
from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.parsing import read_object
from apps.gpucloud import details
from apps.prompts import running, selectors, services, snippets
from apps.prompts.forms import SwitchForm
from apps.prompts.lists import SERVICES


@project_page()
def service_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, SERVICES, "prompts/service_list.html")


@project_page()
def service_detail(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """How to call it and which version answers; `?tab=lineage` shows what it stands on."""
    service = selectors.get_service(request.actor, project, name)  # type: ignore[attr-defined]
    versions = selectors.list_versions(request.actor).filter(prompt=service.version.prompt_id)[:200]  # type: ignore[attr-defined]
    address = reverse("prompts:service_detail", args=[project.slug, service.name])
    context = {
        **details.thing_frame(request, "prompt_service", service.pk, address, ("overview", "lineage")),
        "service": service,
        "version": service.version,
        "form": SwitchForm(versions=list(versions), initial={"version": service.version.number}),
        "snippets": snippets.of_service(service, settings.AIFS_GATEWAY_URL),
    }
    return render(request, "prompts/service_detail.html", context)


@require_POST
@project_page("publish")
def service_switch(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """Answer with another version of the same prompt from now on."""
    service = selectors.get_service(request.actor, project, name)  # type: ignore[attr-defined]
    number = request.POST.get("version", "")
    if not number.isdecimal():
        raise InvalidInput(noop("Choose a version."))
    version = selectors.get_version(service.version.prompt, int(number))
    services.publish_version(request.actor, version, service.name)  # type: ignore[attr-defined]
    messages.success(request, _("Version %(number)d answers now.") % {"number": version.number})
    return redirect("prompts:service_detail", project.slug, name)


@require_POST
@project_page("publish")
def service_enable(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """Put the service on the gateway (`enabled=1`) or take it off."""
    service = selectors.get_service(request.actor, project, name)  # type: ignore[attr-defined]
    services.set_service_enabled(request.actor, service, request.POST.get("enabled") == "1")  # type: ignore[attr-defined]
    return redirect("prompts:service_detail", project.slug, name)


@require_POST
@project_page("publish")
def service_delete(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    service = selectors.get_service(request.actor, project, name)  # type: ignore[attr-defined]
    services.delete_service(request.actor, service)  # type: ignore[attr-defined]
    messages.success(request, _("Nobody can call prompt/%(name)s any more.") % {"name": name})
    return redirect("prompts:service_list", project.slug)


@project_page()
def service_chat(request: HttpRequest, project: Project, name: str) -> HttpResponse:
    """A page to talk to the service, for every member of the project."""
    service = selectors.get_service(request.actor, project, name)  # type: ignore[attr-defined]
    return render(request, "prompts/service_chat.html", {"service": service})


@require_POST
@project_page()
async def service_ask(request: HttpRequest, project: Project, name: str) -> StreamingHttpResponse:
    """One turn of a conversation with the service: OpenAI's events, streamed. Body: {"messages", "inputs"?}."""
    body = await sync_to_async(_turn)(request, project, name)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(await running.stream(project, body), content_type="text/event-stream", headers=headers)


def _turn(request: HttpRequest, project: Project, name: str) -> dict[str, Any]:
    """The chat request that a turn becomes. Raises Conflict while the service is switched off."""
    service = selectors.get_service(request.actor, project, name)  # type: ignore[attr-defined]
    if not service.enabled:
        raise Conflict(noop("This service is switched off."))
    body = _json(request)
    rendered = services.rendered_for_gateway(service, body.get("inputs") or {}, body["messages"])
    return running.request_body(service.version.deployment, rendered["messages"], rendered["settings"])


def _json(request: HttpRequest) -> dict[str, Any]:
    """Raises InvalidInput unless the body is a JSON object of the right shape."""
    body = read_object(request.body)
    turns = body.get("messages")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise InvalidInput(noop("Expected a JSON object with “messages”."))
    if not isinstance(body.get("inputs") or {}, dict):
        raise InvalidInput(noop("Expected a JSON object in “inputs”."))
    return body
