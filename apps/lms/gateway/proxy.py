"""From a checked request to an engine's answer: picking an instance, retrying what is safe, streaming, and the bill."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from apps.core.addresses import refuse_private_url
from apps.core.ids import uuid7
from apps.lms.gateway.config import Config
from apps.lms.gateway.errors import Refusal, not_ready
from apps.lms.gateway.pool import Member, Pool, prefix_of
from apps.lms.gateway.web import EVENTS, Request, encoded
from workers.errors import AifsError
from workers.words import marked as _

ATTEMPTS = 2
LOADING_S = 3.0
"""A request waits so long for an instance that is being asked for its health."""
BROKEN = (aiohttp.ClientError, OSError, TimeoutError)
UNFIT = {401, 502, 503}
"""Statuses with which an instance says that it cannot answer (wrong key: another process has its port), so that another
one may."""
CLIENT_LEFT = 499
ERROR_LIMIT = 64 << 10
LINE_LIMIT = 8 << 20
"""Bytes of an event, or of an answer in one piece."""
TOKENS_MAX = 2**31 - 1


@dataclass
class Bill:
    """What one answer cost; becomes one line of the ledger."""

    response_id: str
    project: str
    api_key: str | None
    deployment: str
    model: str
    started: float
    at: float
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    ttft_ms: float | None = None
    status: int = CLIENT_LEFT
    """Until the answer is whole."""
    note: Callable[[dict[str, Any]], None] = lambda record: None
    """Told what it has cost so far, before each piece of a stream goes out."""

    def count(self, usage: object) -> None:
        """Take over what an engine says was used so far."""
        if not isinstance(usage, dict):
            return
        details = usage.get("prompt_tokens_details") or {}
        self.prompt_tokens = _whole(usage.get("prompt_tokens"))
        self.completion_tokens = _whole(usage.get("completion_tokens"))
        self.cached_tokens = _whole(details.get("cached_tokens") if isinstance(details, dict) else 0)

    def record(self) -> dict[str, Any]:
        names = ("response_id", "project", "api_key", "deployment", "model", "prompt_tokens", "cached_tokens",
                 "completion_tokens", "ttft_ms", "status", "at")  # fmt: skip
        record = {name: getattr(self, name) for name in names}
        return record | {"duration_ms": round((time.monotonic() - self.started) * 1000, 2)}


def new_bill(prefix: str, project: str, api_key: str | None, deployment: str, model: str) -> Bill:
    return Bill(prefix + uuid7().hex, project, api_key, deployment, model, time.monotonic(), time.time())


class Proxy:
    """Speaks to engines."""

    def __init__(
        self, session: aiohttp.ClientSession, outside: aiohttp.ClientSession, pool: Pool, config: Config
    ) -> None:
        self._session, self._outside, self._pool, self._config = session, outside, pool, config

    async def answer(self, request: Request, row: dict[str, Any], route: str, body: dict[str, Any], bill: Bill) -> None:
        """Answer a request with a deployment. `bill` is right whenever this ends, however it ends."""
        if not isinstance(body.get("stream"), bool | None):  # an engine may take "yes" for true, and we would not
            raise Refusal(400, "invalid_input", _("stream must be true or false."), param="stream")
        asked = body.get("stream_options")
        wants_usage = bool(isinstance(asked, dict) and asked.get("include_usage"))
        body = self._outgoing(row, body)
        tried: list[str] = []
        refusal = not_ready(row["name"])
        for attempt in range(ATTEMPTS):
            member = await self._member(row, body, tried)
            if member is None:
                break
            tried.append(member.id)
            member.running += 1
            try:
                if body.get("stream") is True:
                    await self._stream(request, member, route, body, bill, wants_usage)
                else:
                    await self._whole(request, member, route, body, bill)
                return
            except Unfit as unfit:
                self._pool.doubt(member)
                refusal = unfit.refusal
            finally:
                member.running -= 1
        bill.status = refusal.status
        raise refusal

    async def _member(self, row: dict[str, Any], body: dict[str, Any], tried: list[str]) -> Member | None:
        """A ready instance, waiting a little for one. A failed one is used again when it turns out to be well: an idle
        connection may have died while the instance lives."""
        if not self._pool.ready(row["id"]):
            await self._pool.wait(row["id"], LOADING_S)
        return self._pool.pick(row["id"], prefix_of(body), tried)

    def _outgoing(self, row: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """The body for the engine. Streams always carry usage, so that every answer can be billed."""
        external = row["external"]
        name = (external and external.get("model")) or row["name"]
        body = {**body, "model": name}
        if body.get("stream") is True:
            options = {"include_usage": True} if external else {"include_usage": True, "continuous_usage_stats": True}
            body["stream_options"] = options
        else:
            body.pop("stream_options", None)
        return body

    async def _post(self, member: Member, route: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
        """The engine's answer, headers only. Raises Unfit when this instance cannot answer."""
        headers = {"Authorization": f"Bearer {member.key}"} if member.key else {}
        session = self._outside if member.external else self._session
        try:
            if member.external:
                await asyncio.to_thread(refuse_private_url, member.url, self._config.private_hosts)
            response = await session.post(f"{member.url}{route}", json=body, headers=headers, allow_redirects=False)
        except AifsError as error:
            raise Refusal(502, "private_address", error.message, **error.data) from None
        except BROKEN as error:
            raise Unfit(_gone(error)) from error
        if response.status in UNFIT:
            response.release()
            raise Unfit(Refusal(503, "instance_unavailable", _("The instance cannot answer at the moment.")))
        return response

    async def _whole(self, request: Request, member: Member, route: str, body: dict[str, Any], bill: Bill) -> None:
        """An answer in one piece; nothing has reached the client before it is complete, so another try is safe."""
        response = await self._post(member, route, body)
        try:
            async with response:
                raw = await _read(response)
            answer = _object(raw) if response.status == 200 else {}
        except BROKEN as error:
            raise Unfit(_gone(error)) from error
        if response.status != 200:
            bill.status = response.status
            raise _refused(response.status, raw)
        bill.count(answer.get("usage"))
        answer |= {"id": bill.response_id, "model": bill.model}
        bill.status = 200
        await request.answer_json(200, answer)

    async def _stream(
        self, request: Request, member: Member, route: str, body: dict[str, Any], bill: Bill, wants_usage: bool
    ) -> None:
        """Server-sent events, each with our id and name. Once the first is out, trouble is said inside the stream."""
        response = await self._post(member, route, body)
        async with response:
            if response.status != 200:
                bill.status = response.status
                raise _refused(response.status, await response.content.read(ERROR_LIMIT))
            try:
                async for chunk in _events(response):
                    await self._pass_on(request, chunk, bill, wants_usage)
                bill.status = 200
            except BROKEN as error:
                if not request.started:
                    raise Unfit(_gone(error)) from error
                self._pool.doubt(member)
                broken = Refusal(502, "instance_died", _("The instance ended in the middle of this answer."))
                bill.status = broken.status
                await request.write(b"data: " + encoded(broken.body(request.language)) + b"\n\n", more=False)
                return
        if not request.started:
            raise Unfit(Refusal(502, "empty_stream", _("The instance answered with an empty stream.")))
        await request.write(b"data: [DONE]\n\n", more=False)

    async def _pass_on(self, request: Request, chunk: dict[str, Any], bill: Bill, wants_usage: bool) -> None:
        usage = chunk.pop("usage", None)
        choices = chunk.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
            raise aiohttp.ClientPayloadError("an event of another shape")
        if "error" in chunk:
            raise aiohttp.ClientPayloadError(str(chunk["error"])[:500])
        if not choices and not wants_usage:
            bill.count(usage)
            return
        if not request.started:
            await request.start(200, EVENTS)
        if not choices:
            chunk["usage"] = usage
        chunk |= {"id": bill.response_id, "model": bill.model}
        if usage:
            bill.count(usage)
        elif choices and _says_something(choices[0]):
            bill.completion_tokens += 1  # an endpoint elsewhere that counts only at the end: a piece is a token, nearly
        bill.note(bill.record())  # before it is out: what reaches a client is on the bill, whatever happens next
        await request.write(b"data: " + encoded(chunk) + b"\n\n")
        if bill.ttft_ms is None and choices and _says_something(choices[0]):
            bill.ttft_ms = round((time.monotonic() - bill.started) * 1000, 2)


class Unfit(Exception):
    """This instance could not answer, and nothing has reached the client: another may try."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """JSON of each event until [DONE]. Raises ClientPayloadError when the stream ends before that."""
    rest = b""
    async for data in response.content.iter_any():
        rest += data
        if len(rest) > LINE_LIMIT:
            raise aiohttp.ClientPayloadError("an event is too long")
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            payload = line[5:].strip()
            if payload == b"[DONE]":
                return
            yield _object(payload)
    raise aiohttp.ClientPayloadError("the stream ended before it was complete")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole answer. Raises ClientPayloadError when it is longer than any answer is."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > LINE_LIMIT:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return b"".join(parts)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise aiohttp.ClientPayloadError("the instance did not answer with JSON") from error
    if not isinstance(found, dict):
        raise aiohttp.ClientPayloadError("the instance did not answer with a JSON object")
    return found


def _refused(status: int, raw: bytes) -> Refusal:
    """The engine's own words about a request that it does not accept. What is neither 4xx nor 5xx (a redirect of an
    endpoint elsewhere, say) is a failure of its."""
    known = status if 400 <= status < 600 else 502
    try:
        error = json.loads(raw)["error"]
        code, param = str(error.get("code") or "engine_refused")[:100], error.get("param")
        shown = param[:200] if isinstance(param, str) else None
        return Refusal(known, code, str(error["message"])[:2000], param=shown)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = _("The instance answered with status %(answered)s.")
        return Refusal(known if known < 500 else 502, "engine_failed", text, answered=status)


def _gone(error: Exception) -> Refusal:
    text = _("The instance does not answer (%(error)s).")
    return Refusal(503, "instance_unavailable", text, error=type(error).__name__)


def _says_something(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta")
    return bool(choice.get("text") or (isinstance(delta, dict) and delta.get("content")))


def _whole(value: Any) -> int:
    """A count of tokens that the ledger can hold; an endpoint elsewhere may say anything."""
    return min(value, TOKENS_MAX) if isinstance(value, int) and value >= 0 else 0
