"""Celery tasks of core, each one short."""

import logging

from celery import shared_task

from apps.core.services import housekeeping

log = logging.getLogger(__name__)


@shared_task(name="core.tidy")
def tidy() -> None:
    """Once an hour, by beat."""
    log.info("tidied: %s", housekeeping.tidy())
