"""The server's side of an engine that runs in a process of its own (`workers/lms/engines/host.py`)."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from workers.errors import AifsError, Unavailable
from workers.lms.engines.base import Chunk, Load, Sampling, Settings
from workers.words import marked as _

LINE_LIMIT = 64 << 20


class EngineClient:
    """Starts the host process and shares it among requests. `died` is set when the process has gone."""

    def __init__(self) -> None:
        self.capacity = 0
        self.load = Load(0, 0, 0.0)
        self.died = asyncio.Event()
        self._answers: dict[int, asyncio.Queue[Chunk]] = {}
        self._next = 0
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, runtime: str, settings: Settings) -> None:
        """Load the model. Raises what the engine says against it."""
        ours, theirs = socket.socketpair()
        with theirs:
            # The host inherits this run's environment, which the node agent has already made minimal.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "workers.lms.engines.host", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": str(settings.threads)},
            )
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
        order = asdict(settings) | {"model": str(settings.model), "scratch": str(settings.scratch)}
        self._send({"runtime": runtime, "settings": order})
        first = await self._reader.readline()
        if not first:
            raise Unavailable(_("The serving engine ended while it loaded the model."))
        answer = json.loads(first)
        if "failed" in answer:
            raise _as_error(answer["failed"])
        self.capacity = int(answer["ready"])
        self._listening = asyncio.create_task(self._listen())

    async def generate(self, prompt: list[int], sampling: Sampling) -> AsyncGenerator[Chunk, None]:
        """Chunks of one answer. Leaving the loop early cancels the computation."""
        self._next += 1
        number = self._next
        answers = self._answers[number] = asyncio.Queue()
        if self.died.is_set():
            raise Unavailable(_("The serving engine has ended."))
        order = asdict(sampling) | {"stop_token_ids": sorted(sampling.stop_token_ids)}
        self._send({"add": number, "prompt": prompt, "sampling": order})
        chunk = Chunk([])
        try:
            while not chunk.finish:
                chunk = await answers.get()
                yield chunk
        finally:
            del self._answers[number]
            if not chunk.finish:
                self._send({"cancel": number})

    @property
    def requests(self) -> int:
        return len(self._answers)

    async def close(self) -> None:
        """End the host process; killed when it does not end by itself."""
        if self._process is None:
            return
        self._writer.close()
        try:
            await asyncio.wait_for(asyncio.to_thread(self._process.wait), timeout=3)
        except TimeoutError:
            self._process.kill()

    async def _listen(self) -> None:
        while line := await self._reader.readline():
            message = json.loads(line)
            if "load" in message:
                self.load = Load(**message["load"])
                continue
            answers = self._answers.get(message["id"])
            if answers:
                answers.put_nowait(Chunk(message["tokens"], message["finish"], message["cached"], message["error"]))
        self.died.set()
        for answers in self._answers.values():
            answers.put_nowait(Chunk([], "error", error="the serving engine has ended"))

    def _send(self, message: dict[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")


def _as_error(event: dict[str, Any]) -> AifsError:
    """The error that the host sent as an event, of the kind its code names."""
    known = {kind.code: kind for kind in AifsError.__subclasses__() if kind.__init__ is AifsError.__init__}
    kind = known.get(event["code"], Unavailable)
    return kind(event["message"], hint=event["hint"], **event["data"])
