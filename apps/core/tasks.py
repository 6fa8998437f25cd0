"""Celery tasks of core, each one short."""

import logging

from celery import current_app, shared_task

from apps.core.services import collecting, deliveries, housekeeping
from apps.core.services.notices import CONTROL_QUEUE

log = logging.getLogger(__name__)
COLLECT_S = 10.0
"""At a time: results of runs wait in the same queue."""


@shared_task(name="core.tidy")
def tidy() -> None:
    """Once an hour, by beat."""
    log.info("tidied: %s", housekeeping.tidy())


@shared_task(name="core.collect")
def collect(after: str = "") -> None:
    """Once a day, by beat, and then bit by bit until all of storage has been looked through."""
    done = collecting.collect(after=after, most_s=COLLECT_S)
    log.info("storage: %s", done)
    if done.after:
        current_app.send_task("core.collect", args=[done.after], queue=CONTROL_QUEUE, retry=False, ignore_result=True)


@shared_task(name="core.deliver_webhooks")
def deliver_webhooks() -> None:
    """When something happened, and every half minute, by beat, for what is to be sent again."""
    deliveries.deliver_webhooks()
