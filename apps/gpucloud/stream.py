"""What happens to a job, as it happens: one source for WebSockets and server-sent events.

A bell (Channels) only says that there is news; the news is read from PostgreSQL after the sequence number the client
has. Without Redis the same news come a little later.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db.models import F
from django.utils import translation

from apps.gpucloud import selectors, shown
from apps.gpucloud.models import Job, JobEvent, MetricChunk
from apps.gpucloud.services.wakeups import PAGE_INTERVAL_S, job_group

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
LISTEN_AGAIN_S = 5.0
FIRST_LINES = 100
FIRST_POINTS = 50
LINES_MAX = 2_000
QUIET_S = 15.0
CHECK_AGAIN_S = 30.0
"""A member who is removed from the project, and a key that is revoked, stop seeing its jobs within this time."""


class Reader:
    """Where one client is in a job's history. Everything it reads comes with the newest sequence number read."""

    def __init__(self, job_id: UUID, since: int, language: str, *, history: bool) -> None:
        self.job_id, self.seq, self.language, self.history = job_id, since, language, history or since > 0
        self.line = 0
        self.points: dict[int, int] = {}
        """Points already sent of each metric chunk."""

    def snapshot(self) -> dict[str, Any]:
        """The job as it is, the end of its log and of its charts; with history, every event after `since`."""
        with translation.override(self.language):
            job = self._job()
            since, self.seq = self.seq, job.last_seq
            self.line = max(0, selectors.last_line(job) - FIRST_LINES)
            events = [shown.event(row) for row in self._rows(since, job.last_seq)] if self.history else []
            events += self._metrics(job, since, None if since else FIRST_POINTS) + self._lines(job)
            news = [event for event in events if event["seq"] > since]
            return {"type": "snapshot", "seq": job.last_seq, "job": shown.live(job), "events": news}

    def read(self) -> dict[str, Any] | None:
        """News since the last call, or None."""
        with translation.override(self.language):
            job = self._job()
            if job.last_seq <= self.seq:
                return None
            since, self.seq = self.seq, job.last_seq
            events = [shown.event(row) for row in self._rows(since, job.last_seq)]
            events += self._metrics(job, since, None) + self._lines(job)
            return {"type": "events", "seq": job.last_seq, "job": shown.live(job), "events": events}

    def _job(self) -> Job:
        return Job.objects.get(pk=self.job_id)

    def _rows(self, since: int, until: int) -> Any:
        return JobEvent.objects.filter(job_id=self.job_id, seq__gt=since, seq__lte=until).order_by("seq")

    def _metrics(self, job: Job, since: int, last: int | None) -> list[dict[str, Any]]:
        """New points by step: {"type": "metric", "step", "values"}. last: no more than so many of each chunk."""
        by_step: dict[int, dict[str, Any]] = defaultdict(dict)
        chunks = MetricChunk.objects.filter(job=job, last_seq__gt=since).annotate(points=F("steps__len"))
        if last is not None:
            chunks = chunks.order_by("name", "-id").distinct("name")
        for chunk in chunks:
            sent = self.points.get(chunk.pk, 0)
            if last is not None:
                sent = max(0, len(chunk.steps) - last)
            for step, value in zip(chunk.steps[sent:], chunk.values[sent:], strict=True):
                by_step[step][chunk.name] = None if value != value else value
            self.points[chunk.pk] = len(chunk.steps)
        return [
            {"seq": job.last_seq, "type": "metric", "step": step, "values": values}
            for step, values in sorted(by_step.items())
        ]

    def _lines(self, job: Job) -> list[dict[str, Any]]:
        lines = [shown.line(row) for row in selectors.read_lines(job, self.line, LINES_MAX)]
        if not lines:
            return []
        self.line = lines[-1]["line"]
        return [{"seq": job.last_seq, "type": "log", "lines": lines}]


class Bell:
    """Waits for news of a job; by the clock alone while Redis is away."""

    def __init__(self, job_id: UUID) -> None:
        self.group = job_group(job_id)
        self.channel: str | None = None
        self.layer = get_channel_layer()

    async def __aenter__(self) -> "Bell":
        await self._listen()
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self.channel:
            try:
                async with asyncio.timeout(1):
                    await self.layer.group_discard(self.group, self.channel)
            except Exception as error:  # Redis forgets it by itself
                log.debug("could not leave %s: %s", self.group, error)

    async def wait(self) -> None:
        if self.channel is None:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._listen()
            return
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self.layer.receive(self.channel)
        except TimeoutError:
            return
        except Exception as error:  # whatever Redis says when it goes
            log.info("no bell for %s: %s", self.group, error)
            self.channel = None

    async def _listen(self) -> None:
        try:
            async with asyncio.timeout(1):
                channel = await self.layer.new_channel("job")
                await self.layer.group_add(self.group, channel)
            self.channel = channel
        except Exception as error:
            log.info("no bell for %s: %s", self.group, error)


def as_seq(text: str) -> int:
    """A sequence number a client sent; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


class Dismissed(Exception):
    """Who follows a job may not see it any more."""


async def follow(
    job_id: UUID, since: int, language: str, may_see: Callable[[], bool], *, history: bool = False
) -> AsyncGenerator[dict[str, Any] | None, None]:
    """A snapshot, then news, at most five a second, until the job has ended; None now and then while nothing
    happens. may_see is asked every CHECK_AGAIN_S. Raises Dismissed."""
    reader = Reader(job_id, since, language, history=history)
    read = database_sync_to_async(reader.read)
    async with Bell(job_id) as bell:
        message = await database_sync_to_async(reader.snapshot)()
        yield message
        quiet_since = checked = time.monotonic()
        while message["job"]["state"] not in Job.ENDED:
            _end_if_cancelled()
            await bell.wait()
            if time.monotonic() - checked > CHECK_AGAIN_S:
                checked = time.monotonic()
                if not await database_sync_to_async(may_see)():
                    raise Dismissed
            while (news := await read()) is not None:
                message, quiet_since = news, time.monotonic()
                yield message
                await asyncio.sleep(PAGE_INTERVAL_S)
            if time.monotonic() - quiet_since > QUIET_S:
                quiet_since = time.monotonic()
                yield None


def _end_if_cancelled() -> None:
    """A client that leaves cancels its reader, and a cancellation that arrives while Redis is being connected to is
    lost there: without this the reader would go on for nobody until the job has ended."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
