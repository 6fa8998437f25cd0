"""A project's webhooks: what stands where, and what became of each message."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import selectors, services
from apps.core.errors import InvalidInput, LimitReached, translate
from apps.core.forms import WebhookForm
from apps.core.models import Project
from apps.core.pages import project_page


@project_page("manage")
def settings_webhooks(request: HttpRequest, project: Project) -> HttpResponse:
    """The webhooks, and a form for a new one; its secret is shown in the answer to the POST and nowhere else."""
    form, fresh = WebhookForm(request.POST or None), ""
    del form.fields["enabled"]
    if request.method == "POST" and form.is_valid():
        try:
            _hook, fresh = services.create_webhook(request.actor, project, **form.cleaned_data)  # type: ignore[attr-defined]
            form = WebhookForm()
            del form.fields["enabled"]
        except (InvalidInput, LimitReached) as error:
            _beside(form, error)
    context = {"form": form, "hooks": selectors.list_webhooks(project), "fresh": fresh}
    response = render(request, "core/settings_webhooks.html", context)
    if fresh:
        response["Cache-Control"] = "no-store"
    return response


@project_page("manage")
def webhook_detail(request: HttpRequest, project: Project, webhook: UUID) -> HttpResponse:
    """Its messages with the last answer to each, and a form to change it."""
    hook = selectors.get_webhook(project, webhook)
    given = {"url": hook.url, "events": hook.events, "enabled": hook.enabled}
    form = WebhookForm(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        try:
            services.update_webhook(request.actor, hook, **form.cleaned_data)  # type: ignore[attr-defined]
            messages.success(request, _("Saved."))
            return redirect("core:webhook_detail", project=project.slug, webhook=hook.pk)
        except InvalidInput as error:
            _beside(form, error)
    context = {"form": form, "hook": hook, "deliveries": selectors.list_deliveries(hook)}
    return render(request, "core/webhook_detail.html", context)


def _beside(form: WebhookForm, error: Any) -> None:
    field = error.data.get("field") if error.data.get("field") in form.fields else None
    said = [translate(text, error.data) for text in (error.message, error.hint) if text]
    form.add_error(field, " ".join(said))


@require_POST
@project_page("manage")
def webhook_delete(request: HttpRequest, project: Project, webhook: UUID) -> HttpResponse:
    services.delete_webhook(request.actor, selectors.get_webhook(project, webhook))  # type: ignore[attr-defined]
    messages.success(request, _("The webhook is deleted."))
    return redirect("core:settings_webhooks", project=project.slug)
