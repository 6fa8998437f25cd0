"""The gateway's routes, listed at the end. Read `Gateway.__call__` first."""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from apps.core import internal, outgoing
from apps.core.ids import uuid7
from apps.lms.gateway import words
from apps.lms.gateway.config import Config
from apps.lms.gateway.errors import Refusal, unauthorised, unknown_model
from apps.lms.gateway.metrics import Metrics
from apps.lms.gateway.pool import Pool
from apps.lms.gateway.proxy import Bill, Proxy, new_bill
from apps.lms.gateway.snapshot import Feed, Snapshot
from apps.lms.gateway.spool import Spool
from apps.lms.gateway.web import Receive, Request, Send, storable, unless_gone
from workers.words import marked as _

log = logging.getLogger(__name__)

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
PREFIXES = {CHAT: "chatcmpl-", COMPLETIONS: "cmpl-"}
RENDER_S = 10.0
COMMENT_CHARACTERS = 4000
RESPONSE_ID = re.compile(r"[\x21-\x7e]{1,80}")
SCORE_MAX = 1e9


@dataclass(frozen=True)
class Caller:
    """Who asks: a project, through one of its keys or through the web process (then without a key)."""

    project: str
    api_key: str | None
    rights: frozenset[str]


NOBODY = Caller("", None, frozenset())


class Gateway:
    """An ASGI application."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metrics = Metrics()
        self.feed = Feed(config.database_url, self._changed)
        self.spool = Spool(config.spool, config.database_url)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._handle(Request(scope, receive, send, self.config))

    # --- life

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        """Serve as soon as PostgreSQL has been read once; without it the health route says what is missing."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.config.connect_within_s, sock_read=self.config.silence_s
        )
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        self.pool = Pool(self._session, self.config.secret_key)
        self._outside = outgoing.session(self.config.private_hosts, timeout)
        self.proxy = Proxy(self._session, self._outside, self.pool, self.config)
        for language in words.CATALOGUES:
            words.catalogue(language)
        self.spool.start()
        await self.feed.ask_for_news()
        self.feed.start()

    async def stop(self) -> None:
        await self.feed.stop()
        self.pool.close()
        await self._session.close()
        await self._outside.close()
        await self.spool.stop()

    def _changed(self, snapshot: Snapshot) -> None:
        self.pool.follow(snapshot)
        log.info("version %d: %d deployments, %d keys", snapshot.version, len(snapshot.deployments), len(snapshot.keys))

    # --- one request

    async def _handle(self, request: Request) -> None:
        self.metrics.in_flight += 1
        try:
            await self._route(request)
        except Refusal as refusal:
            if not request.started:
                await request.refuse(refusal)
        except asyncio.CancelledError:
            raise
        except RecursionError:  # it could be read, but not be written again
            if not request.started:
                await request.refuse(Refusal(400, "bad_json", _("The request body is nested too deeply.")))
        except Exception:  # a bug: logged with its traceback, shown as an id
            id = uuid7().hex
            log.exception("error %s at %s", id, request.path)
            if not request.started:
                await request.refuse(Refusal(500, "internal_error", _("Internal error %(id)s."), id=id))
        finally:
            self.metrics.in_flight -= 1

    async def _route(self, request: Request) -> None:
        for route in ROUTES:
            found = re.fullmatch(route.pattern, request.path) if route.method == request.method else None
            if found:
                caller = await self.caller(request, route.right) if route.right else NOBODY
                await route.handler(self, request, caller, *found.groups())
                return
        text = _("There is no %(method)s %(path)s here.")
        raise Refusal(404, "no_such_route", text, method=request.method[:20], path=request.path[:200])

    async def caller(self, request: Request, right: str) -> Caller:
        """Who asks, with the right checked. Looking up the hash of what was sent takes the same time for any wrong key.
        Raises Refusal."""
        token = request.header(internal.HEADER.lower().encode())
        if token:
            project = internal.verify(self.config.secret_key, token)
            if project is None:
                raise unauthorised()
            return Caller(project, None, frozenset({"view"}))
        given = request.header(b"authorization")
        hash = hashlib.sha256(given.removeprefix("Bearer ").strip().encode()).hexdigest()
        if given and hash not in self.feed.current.keys:
            await self.feed.ask_for_news()
        row = self.feed.current.keys.get(hash)
        if row is None or (row["expires"] is not None and row["expires"] <= time.time()):
            raise unauthorised()
        caller = Caller(row["project"], row["id"], frozenset(row["rights"]))
        if right not in caller.rights:
            raise Refusal(403, "not_allowed", _("This key may not use models."))
        return caller

    async def find(self, caller: Caller, name: object) -> dict[str, Any]:
        """A deployment or published prompt of the caller's project. Raises Refusal naming the known ones."""
        key = (caller.project, name if isinstance(name, str) else "")
        for last_try in (False, True):
            now = self.feed.current
            found = now.deployments.get(key) or now.prompts.get(key)
            waits = found is not None and not found.get("external", True) and not found["instances"]
            if last_try or (found and not waits):
                break
            await self.feed.ask_for_news()
        if found is None:
            raise unknown_model(name, self.feed.current.names(caller.project))
        return found

    async def complete(self, request: Request, caller: Caller, route: str) -> None:
        """`/v1/chat/completions` and `/v1/completions`."""
        body = await request.json()
        row = await self.find(caller, body.get("model"))
        if "service" in row:
            if route != CHAT:
                text = _("A published prompt answers /v1/chat/completions.")
                raise Refusal(400, "not_supported", text, param="model")
            await self._prompt(request, caller, row, body)
            return
        bill = new_bill(PREFIXES[route], caller.project, caller.api_key, row["id"], row["name"])
        await self._answer(request, row, route, body, bill)

    async def _answer(
        self, request: Request, row: dict[str, Any], route: str, body: dict[str, Any], bill: Bill
    ) -> None:
        bill.note = self.spool.note
        try:
            await unless_gone(request, self.proxy.answer(request, row, route, body, bill))
        finally:
            record = bill.record()
            self.metrics.count(record)
            self.spool.put("usage", record)

    # --- published prompts

    async def run_prompt(self, request: Request, caller: Caller, name: str) -> None:
        """`POST /v1/prompts/{name}/run {"inputs": {…}}`: a prompt service by its own route."""
        body = await request.json()
        row = await self.find(caller, f"prompt/{name}")
        await self._prompt(request, caller, row, body)

    async def _prompt(self, request: Request, caller: Caller, row: dict[str, Any], body: dict[str, Any]) -> None:
        """Let the web process fill the template, then answer with the deployment it names. What the version sets
        (temperature, longest answer …) holds where the caller says nothing."""
        inputs = body.get("inputs") if body.get("inputs") is not None else {}
        messages = body.get("messages") if body.get("messages") is not None else []
        rendered = await self._render(request.language, caller, row["service"], inputs, messages)
        deployment = await self.find(caller, rendered["deployment"])
        if "service" in deployment:
            raise Refusal(503, "model_not_ready", _("This prompt names no deployment that could answer."))
        own = {name: value for name, value in body.items() if name not in {"inputs", "messages", "model"}}
        full = {**(rendered.get("settings") or {}), **own, "messages": rendered["messages"]}
        bill = new_bill(PREFIXES[CHAT], caller.project, caller.api_key, deployment["id"], row["name"])
        await self._answer(request, deployment, CHAT, full, bill)

    async def _render(self, language: str, caller: Caller, service: str, inputs: Any, messages: Any) -> dict[str, Any]:
        url = f"{self.config.web_url}/internal/prompts/{quote(service, safe='')}/render"
        token = internal.sign(self.config.secret_key, caller.project)
        # inside, nobody is sent on to TLS
        headers = {internal.HEADER: token, "X-Forwarded-Proto": "https", "Accept-Language": language}
        body = {"inputs": inputs, "messages": messages, "project": caller.project}
        try:
            timeout = aiohttp.ClientTimeout(total=RENDER_S)
            async with self._session.post(url, json=body, headers=headers, timeout=timeout) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            text = _("Published prompts cannot be filled in at the moment.")
            raise Refusal(503, "prompts_unavailable", text) from error
        if response.status != 200:
            text = str(answer.get("detail") or _("The prompt could not be filled in."))
            raise Refusal(
                response.status if response.status < 500 else 503, str(answer.get("code", "prompt_failed")), text
            )
        return answer  # type: ignore[no-any-return]

    # --- the rest

    async def models(self, request: Request, caller: Caller) -> None:
        now = self.feed.current
        rows = [row for key, row in [*now.deployments.items(), *now.prompts.items()] if key[0] == caller.project]
        await request.answer_json(200, {"object": "list", "data": [_model(row) for row in rows]})

    async def model(self, request: Request, caller: Caller, name: str) -> None:
        await request.answer_json(200, _model(await self.find(caller, name)))

    async def feedback(self, request: Request, caller: Caller) -> None:
        """`POST /v1/feedback {"response_id", "score", "comment"?}`"""
        body = await request.json()
        id, score, comment = body.get("response_id"), body.get("score"), body.get("comment") or ""
        if not isinstance(id, str) or not RESPONSE_ID.fullmatch(id):
            raise Refusal(400, "invalid_input", _("response_id must be the id of an answer."), param="response_id")
        if isinstance(score, bool) or not isinstance(score, int | float) or not abs(score) <= SCORE_MAX:
            raise Refusal(400, "invalid_input", _("score must be a number."), param="score")
        if not isinstance(comment, str) or len(comment) > COMMENT_CHARACTERS:
            text = _("comment must be a text of at most %(most)d characters.")
            raise Refusal(400, "invalid_input", text, param="comment", most=COMMENT_CHARACTERS)
        record = {
            "id": str(uuid7()), "response_id": id, "project": caller.project, "score": float(score),
            "comment": storable(comment), "at": time.time(),
        }  # fmt: skip
        self.spool.put("feedback", record)
        await request.answer_json(200, {"id": record["id"], "response_id": id})

    async def health(self, request: Request, caller: Caller, question: str) -> None:
        """`/v2/health/live|ready` of the Open Inference Protocol."""
        if question == "live":
            await request.answer_json(200, {"live": True})
        else:
            await request.answer_json(200 if self.feed.loaded else 503, {"ready": self.feed.loaded})

    async def model_ready(self, request: Request, caller: Caller, name: str) -> None:
        """`/v2/models/{name}/ready`; of a published prompt: whether the deployment behind it is."""
        row = await self.find(caller, name)
        if "service" in row:
            row = await self.find(caller, row["deployment"])
        ready = bool(self.pool.ready(row["id"]))
        await request.answer_json(200 if ready else 503, {"name": name, "ready": ready})

    async def model_shape(self, request: Request, caller: Caller, name: str) -> None:
        """`/v2/models/{name}`"""
        await self.find(caller, name)
        shape = {"name": name, "versions": [], "platform": "openai", "inputs": [], "outputs": []}
        await request.answer_json(200, shape)

    async def show_metrics(self, request: Request, caller: Caller) -> None:
        members = self.pool.members.values()
        gauges = {
            "snapshot_version": self.feed.current.version,
            "usage_pending": self.spool.pending,
            "instances": len(members),
            "instances_healthy": sum(member.healthy for member in members),
        }
        text = self.metrics.text(gauges).encode()
        await request.answer(200, text, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])


@dataclass(frozen=True)
class Route:
    """pattern: its groups go to the handler. right: what a key needs in its project; None: open to whoever reaches the
    port, and then the caller is nobody."""

    method: str
    pattern: str
    handler: Callable[..., Awaitable[None]]
    right: str | None


ROUTES = (
    Route("POST", f"({CHAT}|{COMPLETIONS})", Gateway.complete, "view"),
    Route("GET", r"/v1/models", Gateway.models, "view"),
    Route("GET", r"/v1/models/(.+)", Gateway.model, "view"),
    Route("POST", r"/v1/prompts/(.+)/run", Gateway.run_prompt, "view"),
    Route("POST", r"/v1/feedback", Gateway.feedback, "view"),
    Route("GET", r"/v2/health/(live|ready)", Gateway.health, None),
    Route("GET", r"/v2/models/(.+)/ready", Gateway.model_ready, "view"),
    Route("GET", r"/v2/models/(.+)", Gateway.model_shape, "view"),
    Route("GET", r"/metrics", Gateway.show_metrics, None),
)


def _model(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["name"], "object": "model", "created": row.get("created", 0), "owned_by": "aifs"}
