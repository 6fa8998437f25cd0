"""Celery tasks of core, each one short."""

import logging

from celery import shared_task

from apps.core.services import housekeeping, webhooks

log = logging.getLogger(__name__)


@shared_task(name="core.tidy")
def tidy() -> None:
    """Once an hour, by beat."""
    log.info("tidied: %s", housekeeping.tidy())


@shared_task(name="core.deliver_webhooks")
def deliver_webhooks() -> None:
    """When something happened, and every half minute, by beat, for what is to be sent again."""
    webhooks.deliver_webhooks()
