"""Messages to webhooks: signed, and sent again until they arrive or are given up."""

import asyncio
import hashlib
import hmac
import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.core import outgoing
from apps.core.models import WebhookDelivery
from apps.core.sealing import Seal

AT_ONCE = 50
TIMEOUT_S = 5.0
PAUSES_S = (10, 60, 300, 1800, 7200)
"""Pause after the first, second … try that failed; after the last one a message is given up."""
CLAIM = timedelta(seconds=60)
"""Who takes a message has this long to send it before another may."""
SIGNATURE = "X-AIFS-Signature"


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
