"""Webhooks: addresses outside that are told of a project's events, in signed messages that arrive at least once."""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core import notices, outgoing
from apps.core.access import Actor
from apps.core.addresses import refuse_private_url
from apps.core.errors import InvalidInput, LimitReached
from apps.core.models import Project, Webhook, WebhookDelivery
from apps.core.sealing import Seal
from apps.core.services.audit import record_audit

MOST_WEBHOOKS = 20
AT_ONCE = 50
TIMEOUT_S = 5.0
PAUSES_S = (10, 60, 300, 1800, 7200)
"""Pause after the first, second … try that failed; after the last one a message is given up."""
CLAIM = timedelta(seconds=60)
"""Who takes a message has this long to send it before another may."""
SIGNATURE = "X-AIFS-Signature"


@transaction.atomic
def create_webhook(actor: Actor, project: Project, url: str, events: Iterable[str]) -> tuple[Webhook, str]:
    """Returns the webhook and its secret, which is shown nowhere else. Raises InvalidInput naming the wrong field."""
    actor.require("manage", project)
    chosen = _check(url, events)
    if project.webhooks.count() >= MOST_WEBHOOKS:
        raise LimitReached(_("A project has at most %(most)d webhooks."), most=MOST_WEBHOOKS)
    secret = secrets.token_urlsafe(32)
    hook = Webhook.objects.create(
        project=project, url=url, events=chosen, secret=Seal(settings.SECRET_KEY).close(secret), created_by=actor.user
    )
    record_audit(actor, "webhook.create", hook, events=chosen)
    return hook, secret


@transaction.atomic
def update_webhook(actor: Actor, hook: Webhook, *, url: str, events: Iterable[str], enabled: bool) -> Webhook:
    """Change where and what it is told; the secret stays."""
    actor.require("manage", hook.project)
    hook.url, hook.events, hook.enabled = url, _check(url, events), enabled
    hook.save(update_fields=["url", "events", "enabled"])
    if not enabled:
        hook.deliveries.filter(next_at__isnull=False).update(next_at=None)
    record_audit(actor, "webhook.update", hook, events=hook.events, enabled=enabled)
    return hook


@transaction.atomic
def delete_webhook(actor: Actor, hook: Webhook) -> None:
    """Its log goes with it."""
    actor.require("manage", hook.project)
    record_audit(actor, "webhook.delete", hook)
    hook.delete()


def _check(url: str, events: Iterable[str]) -> list[str]:
    chosen = sorted(set(events))
    unknown = [name for name in chosen if name not in notices.names()]
    if unknown or not chosen:
        raise InvalidInput(
            _("Choose events; known are: %(known)s."),
            known=", ".join(notices.names()),
            errors=[{"field": "events", "message": _("Choose at least one known event.")}],
        )
    refuse_private_url(url, settings.AIFS_PRIVATE_HOSTS)
    return chosen


# --- sending


def signature(secret: str, body: bytes, second: int) -> str:
    """`t=<second>,v1=<HMAC-SHA256 of "second.body" in hex>`: a receiver computes the same and refuses old seconds."""
    mark = hmac.new(secret.encode(), f"{second}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={second},v1={mark}"


def deliver_webhooks() -> int:
    """Send what is due and note the answers. Safe to call at any time and by several. Returns how many arrived."""
    rows = _claim()
    if not rows:
        return 0
    messages = [_message(row) for row in rows]
    answers = asyncio.run(outgoing.post_all(messages, settings.AIFS_PRIVATE_HOSTS, TIMEOUT_S))
    for row, answer in zip(rows, answers, strict=True):
        _note(row, answer)
    return sum(answer.ok for answer in answers)


@transaction.atomic
def _claim() -> list[WebhookDelivery]:
    due = WebhookDelivery.objects.select_for_update(skip_locked=True, of=("self",)).select_related("webhook")
    rows = list(due.filter(next_at__lte=timezone.now()).order_by("next_at")[:AT_ONCE])
    WebhookDelivery.objects.filter(pk__in=[row.pk for row in rows]).update(next_at=timezone.now() + CLAIM)
    return rows


def _message(row: WebhookDelivery) -> outgoing.Message:
    body = row.body.encode()
    secret = Seal(settings.SECRET_KEY).open(row.webhook.secret)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "AIFS-Webhook/1",
        "X-AIFS-Event": row.event,
        "X-AIFS-Delivery": str(row.pk),
        SIGNATURE: signature(secret, body, int(time.time())),
    }
    return outgoing.Message(row.webhook.url, body, headers)


def _note(row: WebhookDelivery, answer: outgoing.Answer) -> None:
    tries = row.attempts + 1
    again = not answer.ok and tries <= len(PAUSES_S)
    WebhookDelivery.objects.filter(pk=row.pk).update(
        attempts=tries,
        status=answer.status,
        answer=answer.text,
        delivered_at=timezone.now() if answer.ok else None,
        next_at=timezone.now() + timedelta(seconds=PAUSES_S[tries - 1]) if again else None,
    )
