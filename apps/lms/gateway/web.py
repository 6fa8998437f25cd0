"""Raw ASGI in a few lines: a request with bounded body, answers, and noticing that the client has left."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from apps.lms.gateway.config import Config
from apps.lms.gateway.errors import Refusal
from apps.lms.gateway.words import preferred
from workers.words import marked as _

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


class Request:
    """One HTTP request. `started` once an answer has begun: from then on errors can only be said inside it."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send, config: Config) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = False
        self._receive, self._send, self._config = receive, send, config

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def language(self) -> str:
        return preferred(self.header(b"accept-language"))

    async def json(self) -> dict[str, Any]:
        """Raises Refusal for what is too large, too slow, not JSON or no object."""
        raw = await self._body()
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Refusal(
                400, "bad_json", _("The request body is not JSON: %(error)s"), error=str(error)[:200]
            ) from None
        if not isinstance(body, dict):
            raise Refusal(400, "bad_json", _("The request body must be a JSON object."))
        return body

    async def _body(self) -> bytes:
        most = self._config.body_max_bytes
        too_large = Refusal(413, "body_too_large", _("The request body may have at most %(most)d bytes."), most=most)
        length = self.header(b"content-length")
        if length.isdecimal() and int(length) > most:
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._config.body_within_s):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise asyncio.CancelledError
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise too_large
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refusal(408, "body_too_slow", _("The request body took too long to arrive.")) from None

    async def gone(self) -> None:
        """Returns when the client has left. Call it after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    # --- answers

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def answer(self, status: int, data: bytes, headers: list[tuple[bytes, bytes]] = JSON) -> None:
        await self.start(status, [*headers, (b"content-length", str(len(data)).encode())])
        await self.write(data, more=False)

    async def answer_json(self, status: int, body: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        await self.answer(status, encoded(body), [*JSON, *(headers or [])])

    async def refuse(self, refusal: Refusal) -> None:
        headers = [(b"retry-after", str(refusal.retry_after_s).encode())] if refusal.retry_after_s else []
        await self.answer_json(refusal.status, refusal.body(self.language), headers)


LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"})
"""Ends of lines to Unicode but not to JSON: clients that read line by line would cut an event in two."""


def encoded(body: Any) -> bytes:
    """JSON in UTF-8, on one line. Half a surrogate pair, which JSON can spell and UTF-8 cannot, becomes a
    question mark."""
    return json.dumps(body, ensure_ascii=False).translate(LINE_ENDS).encode(errors="replace")


def storable(text: str) -> str:
    """Without what PostgreSQL cannot store: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="replace").decode()


async def unless_gone(request: Request, work: Awaitable[None]) -> bool:
    """Do the work, but stop it at once when the client leaves. Returns whether it was done. Raises what it raises."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.gone())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            doing.cancel()
            await asyncio.wait({doing})
        if doing.cancelled():
            return False
        await doing
        return True
    finally:
        leaving.cancel()
        doing.cancel()
