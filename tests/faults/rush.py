"""Many short requests a second to a gateway, sent when they are due whatever became of those before, and an endpoint
elsewhere that answers each at next to no cost."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.clients import ASK, TIMEOUT_S, Records, Stream
from tests.faults.history import Answer

PIECES, PIECE_EVERY_S = 3, 0.1
PROMPT_TOKENS = 3


class Rush:
    """outside: host and port to serve the endpoint at. sent: requests so far."""

    def __init__(self, url: str, key: str, model: str, outside: str, records: Records, rate: int) -> None:
        self.url, self.key, self.model, self.outside = f"{url}/v1/chat/completions", key, model, outside
        self.records, self.rate = records, rate
        self.sent = 0
        self.took = 0.0
        self.ready, self.begin, self.end = threading.Event(), threading.Event(), threading.Event()

    @contextmanager
    def endpoint(self) -> Iterator["Rush"]:
        """While it can be deployed and asked."""
        thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        thread.start()
        assert self.ready.wait(20)
        try:
            yield self
        finally:
            self.begin.set()
            self.end.set()
            thread.join(TIMEOUT_S + 5)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """While requests are sent; every one has ended afterwards."""
        self.begin.set()
        yield
        self.end.set()
        while not self.took:
            time.sleep(0.05)

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        host, port = self.outside.split(":")
        await web.TCPSite(runner, host, int(port), backlog=1024).start()
        self.ready.set()
        while not self.begin.is_set():
            await asyncio.sleep(0.05)
        await self._drive()
        await runner.cleanup()

    async def _drive(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout, headers = aiohttp.ClientTimeout(total=TIMEOUT_S), {"Authorization": f"Bearer {self.key}"}
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
            asyncio.TaskGroup() as going,
        ):
            began = time.monotonic()
            while not self.end.is_set():
                while self.sent < (time.monotonic() - began) * self.rate:
                    going.create_task(self._ask(session, stream=self.sent % 2 == 0))
                    self.sent += 1
                await asyncio.sleep(1 / self.rate)
            took = time.monotonic() - began
        self.took = took

    async def _ask(self, session: aiohttp.ClientSession, *, stream: bool) -> None:
        self.records.count()
        what = "rush stream" if stream else "rush"
        body = {**ASK, "model": self.model, "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        try:
            async with session.post(self.url, json=body) as response:
                if response.status != 200:
                    self.records.fail(what, response.status, await response.text())
                elif stream:
                    self._note_stream(await response.text())
                else:
                    found = await response.json()
                    self._note(found["id"], found["usage"])
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            with self.records.lock:
                self.records.broken += 1
            self.records.fail(what, 0, repr(error))

    def _note_stream(self, text: str) -> None:
        seen = Stream()
        for line in text.splitlines():
            seen.see(line)
        if seen.done and seen.usage and seen.pieces == PIECES:
            self._note(seen.id, seen.usage)
        else:
            self.records.fail("rush stream", 0, text[-500:])

    def _note(self, id: str, usage: dict[str, Any]) -> None:
        with self.records.lock:
            self.records.answers.append(Answer(id, usage["completion_tokens"], usage["prompt_tokens"]))


async def answer(request: web.Request) -> web.StreamResponse:
    """In the words of OpenAI's API; a stream comes in pieces."""
    body = await request.json()
    usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": PIECES, "total_tokens": PROMPT_TOKENS + PIECES}
    if not body.get("stream"):
        message = {"role": "assistant", "content": "word " * PIECES}
        return web.json_response({"id": "x", "choices": [{"index": 0, "message": message}], "usage": usage})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(PIECES):
        await asyncio.sleep(PIECE_EVERY_S if number else 0)
        await response.write(_event({"choices": [{"index": 0, "delta": {"content": "word "}}]}))
    await response.write(_event({"choices": [], "usage": usage}) + b"data: [DONE]\n\n")
    return response


def _event(values: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps({"id": "x", **values}).encode() + b"\n\n"
