"""`/ws/jobs/<id>/?after=SEQ`: the live channel of a job's page.

Sends `{"type": "snapshot", "seq", "job", "events"}` and then `{"type": "events", "seq", "job", "events"}`. Events are
those of `workers/io.py` and `state`, each with `seq`; log events carry `lines`, metric events `step` and `values`.
"""

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from apps.core.errors import NotFound
from apps.gpucloud import selectors
from apps.gpucloud.models import Job
from apps.gpucloud.stream import Dismissed, as_seq, follow

NOT_FOUND = 4404


class JobConsumer(AsyncJsonWebsocketConsumer):
    right = "view"
    channel_layer_alias = "none"
    """The consumer itself listens to no layer: `follow` does, and outlives a Redis that goes away."""
    task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Somebody else's job is refused like one that does not exist."""
        actor, job_id = self.scope["actor"], self.scope["url_route"]["kwargs"]["job"]
        job = await self._job(actor, job_id)
        if job is None:
            await self.close(NOT_FOUND)
            return
        await self.accept()
        since = parse_qs(self.scope.get("query_string", b"").decode("latin-1")).get("after", ["0"])[0]
        language = getattr(actor.user, "language", "") or "en"
        self.task = asyncio.create_task(self._send(actor, job, as_seq(since), language))

    async def disconnect(self, code: int) -> None:
        if self.task:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Clients only listen; what they say is not even read."""

    async def _job(self, actor: Any, job_id: Any) -> Job | None:
        try:
            job = await database_sync_to_async(selectors.get_job)(actor, job_id)
        except NotFound:
            return None
        return job if await database_sync_to_async(actor.may)(self.right, job.project) else None

    async def _send(self, actor: Any, job: Job, since: int, language: str) -> None:
        def may_see() -> bool:
            return bool(actor.still_may(self.right, job.project))

        try:
            async with contextlib.aclosing(follow(job.pk, since, language, may_see)) as messages:
                async for message in messages:
                    if message is not None:
                        await self.send_json(message)
        except Dismissed:
            await self.close(NOT_FOUND)
            return
        await self.close(1000)
