"""What a person was told: the bell, the list, and which events are heard of."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import notices, selectors, services
from apps.core.forms import HeardEventsForm
from apps.core.pages import signed_in_page

PER_PAGE = 30


@signed_in_page
def notification_list(request: HttpRequest) -> HttpResponse:
    """Newest first; `?unread=1` only those not read, `?before=` those older than one."""
    actor = request.actor  # type: ignore[attr-defined]
    rows = selectors.list_notifications(actor)
    unread = request.GET.get("unread") == "1"
    if unread:
        rows = rows.filter(read_at__isnull=True)
    before = selectors.as_uuid(request.GET.get("before", ""))
    page = list((rows.filter(pk__lt=before) if before else rows)[: PER_PAGE + 1])
    older = page[PER_PAGE - 1].pk if len(page) > PER_PAGE else None
    context = {
        "rows": [notices.shown(row) for row in page[:PER_PAGE]],
        "older": older,
        "only_unread": unread,
        "unread": selectors.count_unread(actor),
    }
    return render(request, "core/notification_list.html", context)


@signed_in_page
def notification_unread(request: HttpRequest) -> HttpResponse:
    """{"unread": how many}, for the bell."""
    return JsonResponse({"unread": selectors.count_unread(request.actor)})  # type: ignore[attr-defined]


@signed_in_page
def notification_open(request: HttpRequest, notification: UUID) -> HttpResponse:
    """Its page; from now on it is read."""
    row = selectors.get_notification(request.actor, notification)  # type: ignore[attr-defined]
    services.mark_read(request.actor, [row.pk])  # type: ignore[attr-defined]
    return redirect(row.url or "core:notification_list")


@require_POST
@signed_in_page
def notification_read(request: HttpRequest, notification: UUID) -> HttpResponse:
    row = selectors.get_notification(request.actor, notification)  # type: ignore[attr-defined]
    services.mark_read(request.actor, [row.pk])  # type: ignore[attr-defined]
    return redirect("core:notification_list")


@require_POST
@signed_in_page
def notification_read_all(request: HttpRequest) -> HttpResponse:
    services.mark_read(request.actor)  # type: ignore[attr-defined]
    return redirect("core:notification_list")


@signed_in_page
def notification_settings(request: HttpRequest) -> HttpResponse:
    """Which events one wants to hear of."""
    actor = request.actor  # type: ignore[attr-defined]
    muted = selectors.muted_events(actor)
    heard = [name for name in notices.names() if name not in muted]
    form = HeardEventsForm(request.POST or None, initial={"events": heard})
    if request.method == "POST" and form.is_valid():
        services.set_heard_events(actor, form.cleaned_data["events"])
        messages.success(request, _("Saved."))
        return redirect("core:notification_settings")
    return render(request, "core/notification_settings.html", {"form": form})
