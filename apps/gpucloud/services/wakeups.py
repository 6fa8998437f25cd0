"""Bells. None carries more than an id, and losing one costs seconds: PostgreSQL is the truth.

scheduler   PostgreSQL NOTIFY, delivered with the commit
agent       a Celery message on the queue of the node
finisher    a Celery message on the control queue
pages       a Channels message to the group of the job, at most five a second, sent from a thread of its own
"""

import asyncio
import logging
import os
import threading
import time
from typing import Any
from uuid import UUID

from celery import current_app
from channels.layers import get_channel_layer
from django.db import connection, transaction

log = logging.getLogger(__name__)

SCHEDULER_CHANNEL = "aifs_scheduler"
CONTROL_QUEUE = "control"
PAGE_INTERVAL_S = 0.2


def node_queue(node_name: str) -> str:
    return f"node.{node_name}"


def job_group(job_id: UUID | str) -> str:
    return f"job.{job_id}"


def wake_scheduler() -> None:
    """Takes effect when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [SCHEDULER_CHANNEL])


def wake_node(node_name: str, attempt_id: UUID) -> None:
    """After the commit: an attempt of this node is new, or has something to be told (cancel)."""
    _send_after_commit("gpucloud.attempt_changed", attempt_id, node_queue(node_name))


def wake_finisher(attempt_id: UUID) -> None:
    _send_after_commit("gpucloud.finish_attempt", attempt_id, CONTROL_QUEUE)


def wake_pages(job_id: UUID, seq: int) -> None:
    """After the commit: tell whoever watches the job that there is news up to `seq`."""
    transaction.on_commit(lambda: _pages.ring(str(job_id), seq), robust=True)


def _send_after_commit(task: str, attempt_id: UUID, queue: str) -> None:
    transaction.on_commit(lambda: _send(task, str(attempt_id), queue), robust=True)


def _send(task: str, attempt_id: str, queue: str) -> None:
    try:
        current_app.send_task(task, args=[attempt_id], queue=queue, retry=False, ignore_result=True)
    except Exception as error:  # Redis away, in any of its ways: the receiver finds the work in PostgreSQL by itself
        log.warning("bell %s for %s not rung: %s", task, attempt_id, error)


def warm_up() -> None:
    """Open the connection to the broker before the first bell is due."""
    try:
        with current_app.producer_pool.acquire(block=True) as producer:
            producer.connection.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:
        log.warning("the broker is away: %s", error)


class _PageBells:
    """Collects the newest sequence number of every job and sends it on, without making the caller wait for Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[str, int] = {}
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def ring(self, job_id: str, seq: int) -> None:
        with self._lock:
            self._pending[job_id] = max(seq, self._pending.get(job_id, 0))
            if self._pid != os.getpid():
                self._start()
            loop, wake = self._loop, self._wake
        assert loop is not None and wake is not None  # noqa: S101 - for the type checker
        loop.call_soon_threadsafe(wake.set)

    def _start(self) -> None:
        """A thread does not survive a fork, so every process has its own."""
        self._pid, self._loop, self._wake = os.getpid(), asyncio.new_event_loop(), asyncio.Event()
        threading.Thread(
            target=self._loop.run_until_complete, args=[self._run()], name="page-bells", daemon=True
        ).start()

    async def _run(self) -> None:
        assert self._wake is not None  # noqa: S101 - for the type checker
        sent: dict[str, float] = {}
        while True:
            await self._wake.wait()
            self._wake.clear()
            now = time.monotonic()
            sent = {job: at for job, at in sent.items() if now - at < PAGE_INTERVAL_S}
            with self._lock:
                due = {job: seq for job, seq in self._pending.items() if job not in sent}
                for job in due:
                    del self._pending[job]
            for job, seq in due.items():
                sent[job] = now
                await self._send(job, seq)
            if self._pending:
                await asyncio.sleep(PAGE_INTERVAL_S / 4)
                self._wake.set()

    async def _send(self, job: str, seq: int) -> None:
        message: dict[str, Any] = {"type": "job.bell", "seq": seq}
        try:
            async with asyncio.timeout(2):
                await get_channel_layer().group_send(job_group(job), message)
        except Exception as error:  # pages also look by themselves every few seconds
            log.debug("page bell for %s not rung: %s", job, error)


_pages = _PageBells()
