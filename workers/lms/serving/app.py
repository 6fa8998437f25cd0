"""The HTTP side of one serving instance: OpenAI's routes, health and metrics, for whoever holds the instance key."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from workers.errors import AifsError, LimitReached, NotAllowed, Unavailable
from workers.lms.serving.chat import ChatTokenizer
from workers.lms.serving.client import EngineClient
from workers.lms.serving.requests import Asked, ChatAsked, CompletionAsked, parse, sampling
from workers.lms.serving.stops import StopFinder
from workers.words import marked as _

BODY_LIMIT = 16 << 20
STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}


@dataclass
class Counters:
    """Totals since the start."""

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    ttft_s: float = 0.0
    answers: int = 0


@dataclass
class Instance:
    """What the routes share. context: tokens of prompt and answer; defaults: the model's generation_config."""

    name: str
    runtime: str
    key: str
    context: int
    max_waiting: int
    engine: EngineClient
    tokenizer: ChatTokenizer
    defaults: dict[str, Any]
    draining: bool = False
    counters: Counters = field(default_factory=Counters)
    started_at: int = field(default_factory=lambda: int(time.time()))
    tokens_made: int = 0


@dataclass
class Answer:
    """One answer while it grows."""

    id: str
    model: str
    prompt_tokens: int
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish: str = ""

    def usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


def application(instance: Instance) -> web.Application:
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_errors_as_json, _wants_key(instance.key)])
    app.add_routes(
        [
            web.post("/v1/chat/completions", lambda request: complete(instance, request, ChatAsked, Chat())),
            web.post("/v1/completions", lambda request: complete(instance, request, CompletionAsked, Text())),
            web.get("/v1/models", lambda request: models(instance, request)),
            web.get("/health", lambda request: health(instance, request)),
            web.get("/metrics", lambda request: metrics(instance, request)),
        ]
    )
    return app


# --- who may come in, and how errors look

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _wants_key(key: str) -> Any:
    expected = hashlib.sha256(key.encode()).digest()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(hashlib.sha256(given.encode(errors="replace")).digest(), expected):
            raise NotAllowed(_("This instance answers only to the gateway."), code="invalid_api_key")
        return await handler(request)

    return check


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AifsError as error:
        status = 401 if error.code == "invalid_api_key" else error.status
        return web.json_response(error_body(error), status=status, headers=_retry(error))
    except web.HTTPException as error:
        about = {
            "message": error.reason,
            "type": "invalid_request_error",
            "param": None,
            "code": f"http_{error.status}",
        }
        return web.json_response({"error": about}, status=error.status)


def error_body(error: AifsError) -> dict[str, Any]:
    """OpenAI's shape of an error."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {"error": {"message": str(error), "type": kind, "param": error.data.get("field"), "code": error.code}}


def _retry(error: AifsError) -> dict[str, str]:
    return {"Retry-After": "1"} if error.status in (429, 503) else {}


# --- answers


class Chat:
    """How chat completions look. Source: OpenAI API reference."""

    prefix, whole, piece = "chatcmpl-", "chat.completion", "chat.completion.chunk"

    def opening(self) -> dict[str, Any] | None:
        return {"delta": {"role": "assistant", "content": ""}}

    def part(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text} if text else {}}

    def full(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text}, "logprobs": None}


class Text:
    """How plain completions look."""

    prefix, whole, piece = "cmpl-", "text_completion", "text_completion"

    def opening(self) -> dict[str, Any] | None:
        return None

    def part(self, text: str) -> dict[str, Any]:
        return {"text": text, "logprobs": None}

    full = part


async def complete(instance: Instance, request: web.Request, shape: type[Asked], look: Any) -> web.StreamResponse:
    """Answer a completion request, at once or as a stream. The computation is cancelled when the client leaves."""
    if instance.draining:
        raise Unavailable(_("This instance is shutting down."))
    if instance.engine.requests >= instance.max_waiting:
        raise LimitReached(_("This instance has too many requests waiting; try again shortly."))
    asked: Any = parse(await request.read(), shape)
    prompt = await asyncio.to_thread(asked.prompt_tokens, instance.tokenizer)
    chosen = sampling(asked, len(prompt), instance.context, instance.defaults, instance.tokenizer.stop_token_ids)
    answer = Answer(look.prefix + uuid.uuid4().hex, asked.model or instance.name, len(prompt))
    pieces = _texts(instance, answer, prompt, chosen, StopFinder(asked.stop))
    instance.counters.requests += 1
    try:
        if asked.stream:
            return await _streamed(request, asked, answer, look, pieces)
        text = "".join([piece async for piece in pieces])
        choice = {"index": 0, **look.full(text), "finish_reason": answer.finish}
        return web.json_response(_body(answer, look.whole, [choice], answer.usage()))
    finally:
        await pieces.aclose()
        _count(instance.counters, answer)


async def _texts(
    instance: Instance, answer: Answer, prompt: list[int], chosen: Any, stops: StopFinder
) -> AsyncGenerator[str, None]:
    """Text as it comes; `answer` is kept up to date. Raises Unavailable when the engine fails."""
    decoder = instance.tokenizer.decoder()
    started = time.monotonic()
    chunks = instance.engine.generate(prompt, chosen)
    try:
        async for chunk in chunks:
            if chunk.finish == "error":
                raise Unavailable(_("The serving engine failed: %(error)s"), code="engine_failed", error=chunk.error)
            if not answer.completion_tokens and chunk.tokens:
                instance.counters.ttft_s += time.monotonic() - started
                instance.counters.answers += 1
            answer.completion_tokens += len(chunk.tokens)
            instance.tokens_made += len(chunk.tokens)
            answer.cached_tokens = chunk.cached_tokens or answer.cached_tokens
            text = stops.push(decoder.push(chunk.tokens))
            if stops.found:
                answer.finish = "stop"
                yield text
                return
            if chunk.finish:
                answer.finish = chunk.finish
                text += stops.flush()
            if text or chunk.finish:
                yield text
    finally:
        await chunks.aclose()  # cancels what still runs


async def _streamed(
    request: web.Request, asked: Any, answer: Answer, look: Any, pieces: AsyncGenerator[str, None]
) -> web.StreamResponse:
    response = web.StreamResponse(headers=STREAM_HEADERS)
    so_far = asked.stream_options.continuous_usage_stats

    async def send(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> None:
        body = _body(answer, look.piece, choices, usage)
        await response.write(b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n")

    async for text in pieces:
        if not response.prepared:  # only now: an error before the first token keeps its status
            await response.prepare(request)
            if look.opening():
                await send([{"index": 0, **look.opening(), "finish_reason": None}], answer.usage() if so_far else None)
        finish = answer.finish or None
        await send([{"index": 0, **look.part(text), "finish_reason": finish}], answer.usage() if so_far else None)
    if asked.stream_options.include_usage:
        await send([], answer.usage())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _body(answer: Answer, kind: str, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
    body = {"id": answer.id, "object": kind, "created": int(time.time()), "model": answer.model, "choices": choices}
    return body | {"usage": usage} if usage else body


def _count(counters: Counters, answer: Answer) -> None:
    counters.prompt_tokens += answer.prompt_tokens
    counters.cached_tokens += answer.cached_tokens
    counters.completion_tokens += answer.completion_tokens
    counters.failed += not answer.finish


# --- state


async def models(instance: Instance, request: web.Request) -> web.Response:
    entry = {"id": instance.name, "object": "model", "created": instance.started_at, "owned_by": "aifs"}
    return web.json_response({"object": "list", "data": [entry | {"max_model_len": instance.context}]})


async def health(instance: Instance, request: web.Request) -> web.Response:
    state = "failed" if instance.engine.died.is_set() else "draining" if instance.draining else "ready"
    return web.json_response({"state": state, "runtime": instance.runtime}, status=200 if state == "ready" else 503)


async def metrics(instance: Instance, request: web.Request) -> web.Response:
    """Prometheus text."""
    load, counters = instance.engine.load, instance.counters
    values = {
        "aifs_engine_requests_running": ("gauge", load.running),
        "aifs_engine_requests_waiting": ("gauge", load.waiting),
        "aifs_engine_kv_cache_usage": ("gauge", load.cache_use),
        "aifs_engine_requests_total": ("counter", counters.requests),
        "aifs_engine_failed_total": ("counter", counters.failed),
        "aifs_engine_prompt_tokens_total": ("counter", counters.prompt_tokens),
        "aifs_engine_cached_tokens_total": ("counter", counters.cached_tokens),
        "aifs_engine_completion_tokens_total": ("counter", counters.completion_tokens),
        "aifs_engine_ttft_seconds_sum": ("counter", counters.ttft_s),
        "aifs_engine_ttft_seconds_count": ("counter", counters.answers),
    }
    lines = [f"# TYPE {name} {kind}\n{name} {value}" for name, (kind, value) in values.items()]
    return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")


def model_defaults(folder: Path) -> dict[str, Any]:
    """Sampling the model's makers recommend; nothing when they decode greedily by default."""
    path = folder / "generation_config.json"
    config = json.loads(path.read_text()) if path.exists() else {}
    if not config.get("do_sample"):
        return {}
    return {name: config[name] for name in ("temperature", "top_p", "top_k") if config.get(name) is not None}
