"""`/ws/jobs/<id>/?after=SEQ`: the live channel of a job's page.

Sends `{"type": "snapshot", "seq", "job", "events"}` and then `{"type": "events", "seq", "job", "events"}`. Events are
those of `workers/io.py` and `state`, each with `seq`; log events carry `lines`, metric events `step` and `values`.
"""

import asyncio
import contextlib
import time
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from apps.core.errors import NotFound
from apps.gpucloud import selectors
from apps.gpucloud.stream import as_seq, follow

NOT_FOUND = 4404
CHECK_AGAIN_S = 30.0
"""A member who is removed from the project stops seeing its jobs within this time."""


class JobConsumer(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "none"
    """The consumer itself listens to no layer: `follow` does, and outlives a Redis that goes away."""
    task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Somebody else's job is refused like one that does not exist."""
        actor, job_id = self.scope["actor"], self.scope["url_route"]["kwargs"]["job"]
        if not await self._may_see(actor, job_id):
            await self.close(NOT_FOUND)
            return
        await self.accept()
        since = parse_qs(self.scope.get("query_string", b"").decode("latin-1")).get("after", ["0"])[0]
        language = getattr(actor.user, "language", "") or "en"
        self.task = asyncio.create_task(self._send(actor, job_id, as_seq(since), language))

    async def disconnect(self, code: int) -> None:
        if self.task:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Clients only listen."""

    async def _may_see(self, actor: Any, job_id: Any) -> bool:
        try:
            await database_sync_to_async(selectors.get_job)(actor, job_id)
        except NotFound:
            return False
        return True

    async def _send(self, actor: Any, job_id: Any, since: int, language: str) -> None:
        checked = time.monotonic()
        async with contextlib.aclosing(follow(job_id, since, language)) as messages:
            async for message in messages:
                if time.monotonic() - checked > CHECK_AGAIN_S:
                    checked = time.monotonic()
                    if not await self._may_see(actor, job_id):
                        await self.close(NOT_FOUND)
                        return
                if message is not None:
                    await self.send_json(message)
        await self.close(1000)
