"""Webhooks: addresses outside that are told of a project's events. What is sent to them is in `deliveries`."""

import secrets
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop as _

from apps.core import notices
from apps.core.access import Actor
from apps.core.addresses import refuse_private_url
from apps.core.errors import InvalidInput, LimitReached
from apps.core.models import Project, Webhook
from apps.core.sealing import Seal
from apps.core.services.audit import record_audit

MOST_WEBHOOKS = 20


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
