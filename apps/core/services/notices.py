"""Tell people and webhooks what happened, and what people do with what they were told."""

import json
import logging
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation

from apps.core import notices
from apps.core.access import Actor
from apps.core.models import MutedEvent, Notification, Project, User, Webhook, WebhookDelivery

log = logging.getLogger(__name__)
CONTROL_QUEUE = "control"


def emit(
    event: str, project: Project, *, to: Iterable[User | None] = (), url: str = "", by: User | None = None, **data: Any
) -> None:
    """Tell of an event inside the transaction of the deed: it is seen, and sent, when that commits, and never when it
    does not.

    to: whom it concerns; who is no member (any more), or has muted the event, or did it (`by`), hears nothing.
    url: path of the page it is about. data: JSON that fills the event's text; it must hold no secret.
    """
    wanted = {user.pk for user in to if user is not None and (by is None or user.pk != by.pk)}
    if wanted:
        muted = MutedEvent.objects.filter(event=event, user__in=wanted).values("user")
        members = project.memberships.filter(user__in=wanted, user__is_active=True).exclude(user__in=muted)
        Notification.objects.bulk_create(
            Notification(user_id=user, project=project, event=event, data=data, url=url[:300])
            for user in members.values_list("user", flat=True)
        )
    hooks = Webhook.objects.filter(project=project, enabled=True, events__contains=[event])
    deliveries = [_delivery(hook, event, project, url, data) for hook in hooks]
    if deliveries:
        WebhookDelivery.objects.bulk_create(deliveries)
        transaction.on_commit(_ring, robust=True)


def _delivery(hook: Webhook, event: str, project: Project, url: str, data: dict[str, Any]) -> WebhookDelivery:
    row = WebhookDelivery(webhook=hook, event=event, next_at=timezone.now())
    with translation.override("en"):
        text = notices.text_of(event, data)
    message = {
        "id": str(row.pk), "event": event, "project": project.slug, "at": timezone.now().isoformat(),
        "text": text, "url": settings.AIFS_URL.rstrip("/") + url if url else "", "data": data,
    }  # fmt: skip
    row.body = json.dumps(message, ensure_ascii=False, default=str)
    return row


def _ring() -> None:
    """Losing the bell costs half a minute: beat looks for what is due as well."""
    try:
        current_app.send_task("core.deliver_webhooks", queue=CONTROL_QUEUE, retry=False, ignore_result=True)
    except Exception as error:  # Redis away, in any of its ways
        log.warning("bell for webhooks not rung: %s", error)


# --- what people do with what they were told


def mark_read(actor: Actor, ids: Iterable[UUID] | None = None) -> int:
    """Mark one's own as read; all of them without ids. A key marks those of its project. Returns how many were not."""
    rows = Notification.objects.filter(user=actor.user, project__in=actor.projects(), read_at__isnull=True)
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    return rows.update(read_at=timezone.now())


@transaction.atomic
def set_heard_events(actor: Actor, heard: Iterable[str]) -> None:
    """What the person wants to hear of; every other known event is muted."""
    muted = set(notices.names()) - set(heard)
    MutedEvent.objects.filter(user=actor.user).exclude(event__in=muted).delete()
    MutedEvent.objects.bulk_create(
        [MutedEvent(user=actor.user, event=event) for event in sorted(muted)], ignore_conflicts=True
    )
