"""Job kind `lms.serve`: one instance that answers until it is told to stop."""

import asyncio
import json
import os
import secrets
import signal
import socket
import time
from pathlib import Path
from typing import Any

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from workers import disk, kinds
from workers.errors import InvalidInput, Unavailable
from workers.io import RunIO
from workers.kinds import Resources
from workers.params import Params as BaseParams
from workers.params import artefact, param
from workers.words import marked as _

MEMORY = _("Memory and speed")
METRICS_EVERY_S = 2.0
IDLE_METRICS_EVERY_S = 60.0


class Params(BaseParams):
    model: str = artefact("model_version", label=_("Model"), help=_("The model version to serve."))
    served_name: str = param(
        "", label=_("Served name"), help=_("The name clients use; empty: the model's."), max_length=200
    )
    runtime: str = param(
        "auto",
        label=_("Runtime"),
        help=_("The engine that computes the answers; auto takes the fastest one that can serve this model exactly."),
        simple=True,
        max_length=40,
    )
    context_length: int = param(
        0,
        label=_("Context length"),
        unit=_("tokens"),
        group=MEMORY,
        ge=0,
        le=1 << 20,
        help=_("Prompt and answer together; 0 takes what the model was trained for."),
    )
    cache_gib: float = param(
        1.0,
        label=_("Key/value cache"),
        unit="GiB",
        group=MEMORY,
        gt=0,
        le=1024,
        help=_("Holds running conversations and the beginnings of earlier ones, so that a next turn starts fast."),
    )
    prefix_cache: bool = param(
        True,
        label=_("Reuse earlier turns"),
        group=MEMORY,
        help=_("Keeps what was computed for the beginning of a conversation for its next turn."),
    )
    max_running: int = param(
        32,
        label=_("Requests computed together"),
        group=MEMORY,
        ge=1,
        le=1024,
        help=_("Further requests wait."),
    )
    max_waiting: int = param(
        256,
        label=_("Requests in the house"),
        group=MEMORY,
        ge=1,
        le=10000,
        help=_("Running and waiting together; more are turned away at once."),
    )
    precision: str = param(
        "f32",
        label=_("Precision"),
        group=MEMORY,
        pattern="^(f32|f16)$",
        help=_("f32 answers exactly as the model was trained; f16 may be faster and differ slightly."),
    )
    threads: int = param(
        0, label=_("Threads"), group=MEMORY, ge=0, le=512, help=_("0 takes the cores the instance was given.")
    )
    drain_s: float = param(
        8.0,
        label=_("Time to finish"),
        unit="s",
        group=MEMORY,
        ge=0,
        le=600,
        help=_("How long running answers may go on after the instance was told to stop."),
    )

    @field_validator("runtime")
    @classmethod
    def known_runtime(cls, value: str) -> str:
        from workers.lms.engines.base import runtimes

        if value != "auto" and value not in runtimes:
            raise PydanticCustomError("enum", "unknown runtime", {"expected": ", ".join(["auto", *runtimes.names()])})
        return value


@kinds.register("lms.serve", label=_("Serve a model"), resources=Resources(cpus=1), service=True, simple=False)
def run(params: Params, io: RunIO) -> dict[str, Any]:
    """Load a model and answer OpenAI-compatible requests on a local port until told to stop.

    The address comes with the `ready` event. Requests need the instance key. SIGTERM lets running answers finish.
    """
    return asyncio.run(_serve(params, io))


async def _serve(params: Params, io: RunIO) -> dict[str, Any]:
    from aiohttp import web

    from workers.lms.serving.app import application

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listening = _socket()  # before the model: minutes of loading would end with what can be known now
    instance = await _load(params, io)
    runner = web.AppRunner(application(instance), handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    port = listening.getsockname()[1]
    io.ready(
        url=f"http://{_host()}:{port}",
        runtime=instance.runtime,
        model=instance.name,
        context_length=instance.context,
        pid=os.getpid(),
    )
    try:
        await _watch(instance, io, stop)
        instance.draining = True
        deadline = time.monotonic() + params.drain_s
        while instance.engine.requests and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
    finally:
        await runner.cleanup()
        await instance.engine.close()
    return {"requests": instance.counters.requests, "completion_tokens": instance.counters.completion_tokens}


async def _load(params: Params, io: RunIO) -> Any:
    """Pick the runtime, start its engine, read tokenizer and template."""
    from workers.lms.engines.base import Settings, fitting
    from workers.lms.serving.app import Instance, model_defaults
    from workers.lms.serving.chat import ChatTokenizer

    folder = io.input("model")
    config = _config(folder)
    tokenizer = ChatTokenizer(folder)
    trained = int(config.get("max_position_embeddings") or 2048)
    settings = Settings(
        model=folder, scratch=io.scratch("serve"), context_length=params.context_length or trained,
        cache_gib=params.cache_gib, threads=params.threads or io.spec.cpus, max_running=params.max_running,
        precision=params.precision, prefix_cache=params.prefix_cache,
    )  # fmt: skip
    runtime, engine = await _start(io, fitting(params.runtime, folder, config), settings)
    io.progress(1, 1, _("Serving with %(runtime)s"), runtime=runtime)
    name = params.served_name or io.spec.inputs["model"].name or "model"
    return Instance(
        name, runtime, _key(io), min(settings.context_length, trained, engine.capacity), params.max_waiting,
        engine, tokenizer, model_defaults(folder),
    )  # fmt: skip


async def _start(io: RunIO, runtimes: list[Any], settings: Any) -> tuple[str, Any]:
    """The first engine that loads the model; its name and its client. Raises what the last one says."""
    from workers.lms.serving.client import EngineClient

    for last, runtime in zip([False] * (len(runtimes) - 1) + [True], runtimes, strict=True):
        io.progress(0, 1, _("Loading the model into %(runtime)s"), runtime=runtime.name)
        engine = EngineClient()
        try:
            await engine.start(runtime.name, settings)
            break
        except InvalidInput as error:
            await engine.close()
            if last:
                raise
            io.log(
                _("%(runtime)s cannot serve this model: %(error)s"), "warning", runtime=runtime.name, error=str(error)
            )
    return runtime.name, engine


def _tell(io: RunIO, step: int, values: dict[str, float]) -> None:
    """A full disk is no reason to stop answering."""
    try:
        io.metric(step, values)
    except OSError as error:
        if not disk.is_full(error):
            raise


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.exists():
        raise InvalidInput(_("The model folder has no config.json."))
    config: dict[str, Any] = json.loads(path.read_text())
    return config


def _key(io: RunIO) -> str:
    """The instance key: a secret from the web, or, run by hand, a new one in a file that only its owner can read."""
    key = io.secret("instance_key")
    if not key:
        key = secrets.token_urlsafe(32)
        path = io.scratch("serve") / "instance-key"
        path.touch(mode=0o600)
        path.write_text(key)
        io.log(_("No instance key was handed over; a new one lies in %(path)s."), path=str(path))
    return key


def _host() -> str:
    """The node's address for the gateway; loopback when the run was started by hand."""
    return os.environ.get("AIFS_NODE_HOST") or "127.0.0.1"


def _socket() -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.bind((_host(), 0))
    except OSError as error:
        raise Unavailable(_("No port could be opened: %(error)s"), error=str(error)) from error
    return listening


async def _watch(instance: Any, io: RunIO, stop: asyncio.Event) -> None:
    """Emit how busy the instance is until it is told to stop. Raises Unavailable when the engine has died."""
    died = asyncio.create_task(instance.engine.died.wait())
    stopped = asyncio.create_task(stop.wait())
    began = last_at = time.monotonic()
    last: dict[str, float] = {}
    tokens = 0
    while not stopped.done():
        await asyncio.wait({died, stopped}, timeout=METRICS_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        if died.done():
            raise Unavailable(_("The serving engine ended unexpectedly; its last words are in the log."))
        now, load, counters = time.monotonic(), instance.engine.load, instance.counters
        values = {
            "tokens_per_s": round((instance.tokens_made - tokens) / METRICS_EVERY_S, 2),
            "running": load.running, "waiting": load.waiting, "cache_use": round(load.cache_use, 4),
            "requests": counters.requests,
        }  # fmt: skip
        tokens = instance.tokens_made
        if values != last or now - last_at > IDLE_METRICS_EVERY_S:
            _tell(io, int(now - began), values)
            last, last_at = values, now
    died.cancel()
