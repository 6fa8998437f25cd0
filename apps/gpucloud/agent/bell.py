"""The agent's bell: a Celery worker in a thread, on the queue of the node. It hands ids to the main loop, no more."""

import logging
import threading
import time

from celery import current_app
from celery.worker import WorkController

from apps.gpucloud.services.wakeups import node_queue

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 2.0


def listen(node_name: str) -> threading.Thread:
    thread = threading.Thread(target=_listen, args=[node_name], name="bell", daemon=True)
    thread.start()
    return thread


def _listen(node_name: str) -> None:
    """Goes on whatever happens to Redis: a lost bell costs one heartbeat, a dead listener would cost one for every
    job."""
    while True:
        try:
            _worker(node_name).start()
        except Exception:  # Celery raises many kinds when its broker goes away
            log.exception("the bell stopped; listening again in %s s", AGAIN_AFTER_S)
        time.sleep(AGAIN_AFTER_S)


def _worker(node_name: str) -> WorkController:
    queue = node_queue(node_name)
    return WorkController(
        app=current_app._get_current_object(),
        hostname=f"agent@{node_name}",
        pool_cls="solo",
        concurrency=1,
        queues=[queue],
        without_heartbeat=True,
        without_gossip=True,
        without_mingle=True,
        loglevel="WARNING",
    )
