"""Celery tasks. Each is short: it hands an id on, or does one transaction."""

import logging
import queue

from celery import shared_task

from apps.gpucloud.services.checkpoints import remove_strays
from apps.gpucloud.services.finishing import finish_attempt as finish

log = logging.getLogger(__name__)

agent_inbox: "queue.SimpleQueue[str]" = queue.SimpleQueue()
"""Attempt ids for the agent of this process; its main loop reads them."""


@shared_task(name="gpucloud.attempt_changed")
def attempt_changed(attempt_id: str) -> None:
    """An attempt of this node is new or has something to be told."""
    agent_inbox.put(attempt_id)


@shared_task(name="gpucloud.tidy")
def tidy() -> None:
    """Once an hour, by beat."""
    log.info("removed %d stray checkpoints", remove_strays())


@shared_task(name="gpucloud.finish_attempt")
def finish_attempt(attempt_id: str) -> None:
    """Register what an attempt made."""
    finish(attempt_id)
