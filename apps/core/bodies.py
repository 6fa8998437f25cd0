"""Request bodies are looked at before Django stores them in a temporary file: how large, how slow, and from whom.

What is small enough for a form or a JSON document comes in freely. What is larger must be a file, from somebody known:
else anybody could fill the disk without an account.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from apps.core.errors import AifsError, problem
from apps.core.parsing import TooLarge
from apps.core.sockets import who
from workers.words import marked as _

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL_BYTES = 16 << 20
FILES = (b"multipart/form-data", b"application/offset+octet-stream")
ROOM_BYTES = 1 << 20
"""What a form is larger than the file in it."""
QUIET_S = 60.0
SLOWEST_BYTES_PER_S = 1024
"""After the first QUIET_S a body that comes more slowly is given up."""


class TooSlow(AifsError):
    """The body does not come."""

    status, code = 408, "too_slow"


class BoundedBodies:
    """ASGI middleware for HTTP."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = Body(scope, receive, send)
        try:
            await body.expect()
        except AifsError as error:
            await refuse(send, error)
            return
        await self.app(scope, body.receive, body.send)


class Body:
    """The body of one request, counted as it comes in."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._headers = {name.lower(): value for name, value in scope.get("headers", [])}
        self._ip = (scope.get("client") or [None])[0]
        self._receive, self._send = receive, send
        self._size, self._most, self._whole, self._refused = 0, SMALL_BYTES, False, False
        self._began = asyncio.get_running_loop().time()

    async def expect(self) -> None:
        """Raises TooLarge when more is announced than may come."""
        length = self._headers.get(b"content-length", b"")
        if length.isdigit():
            await self._allow(int(length))

    async def receive(self) -> Message:
        """The next part; once the body has been refused, the client has gone as far as the application knows."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
            self._size += len(message.get("body", b""))
            await self._allow(self._size)
        except TimeoutError:
            return await self._give_up(TooSlow(_("The request took too long to arrive.")))
        except AifsError as error:
            return await self._give_up(error)
        self._whole = not message.get("more_body")
        return message

    async def send(self, message: Message) -> None:
        if not self._refused:
            await self._send(message)

    async def _allow(self, size: int) -> None:
        """Raises TooLarge. Who sends is asked only when it matters."""
        if size <= self._most:
            return
        is_file = self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower() in FILES
        if self._most == SMALL_BYTES and is_file and await sync_to_async(who)(self._headers, self._ip):
            self._most = settings.AIFS_UPLOAD_MAX_BYTES + ROOM_BYTES
        if size > self._most:
            raise TooLarge(
                _("The body is larger than %(limit)d bytes."),
                hint=_("Send files to /api/v1/uploads/ and name the id of the upload."),
                limit=self._most,
            )

    def _patience(self) -> float:
        """Seconds that the next part may take."""
        spent = asyncio.get_running_loop().time() - self._began
        return max(0.0, QUIET_S + self._size / SLOWEST_BYTES_PER_S - spent)

    async def _give_up(self, error: AifsError) -> Message:
        await refuse(self._send, error)
        self._whole = self._refused = True
        return {"type": "http.disconnect"}


async def refuse(send: Send, error: AifsError) -> None:
    """Answer with a problem document and close: what is still on its way is not read."""
    body = json.dumps(problem(error)).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
