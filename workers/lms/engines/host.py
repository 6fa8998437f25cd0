"""`python -m workers.lms.engines.host FD`: an engine in a process of its own, asked by JSON lines over a socket.

An engine's compute step may hold the interpreter for a second, and may crash; the server that talks to clients must
suffer neither.

To the host: {"settings", "runtime"} first; then {"add": id, "prompt": [tokens], "sampling"} and {"cancel": id}.
From the host: {"ready": capacity} or {"failed": error}; then {"id", "tokens", "finish", "cached", "error"}, {"load"}.
The host ends when the socket closes.
"""

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from workers.errors import AifsError
from workers.lms.engines.base import Chunk, Engine, Sampling, Settings, runtimes

LOAD_EVERY_S = 0.02
"""So old may be what the metrics say of requests that run."""
SWITCH_S = 0.0005
"""An engine may hold the interpreter through a whole step, and give it back for moments that others wake too late for.
Whoever has waited so long has it after the step; at Python's own 5 ms a cancellation waited for many."""
IDLE_EVERY_S = 1.0
"""How often an engine without requests is looked at: it may free its cache only after it has told that it has none."""


class Wire:
    """Whole lines of JSON, written by any thread."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._link.sendall(data)


def main(descriptor: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the server decides when to end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_S)
    link = socket.socket(fileno=descriptor)
    wire = Wire(link)
    lines = link.makefile("rb")
    order = json.loads(lines.readline())
    settings = order["settings"]
    settings["model"], settings["scratch"] = Path(settings["model"]), Path(settings["scratch"])
    try:
        engine = runtimes.get(order["runtime"]).start(Settings(**settings))
    except AifsError as error:
        wire.send({"failed": error.as_event()})
        return
    wire.send({"ready": engine.capacity})
    asked = threading.Event()
    threading.Thread(target=_tell_load, args=(engine, wire, asked), daemon=True).start()
    serve(engine, lines, wire, asked)
    engine.close()


def serve(engine: Engine, lines: Any, wire: Wire, asked: threading.Event) -> None:
    """Pass messages until the other side closes. asked: set with every request."""
    cancels: dict[int, Callable[[], None]] = {}
    for line in lines:
        message = json.loads(line)
        if "cancel" in message:
            cancel = cancels.pop(message["cancel"], None)
            if cancel:
                cancel()
            continue
        number = message["add"]
        sampling = message["sampling"]
        sampling["stop_token_ids"] = frozenset(sampling["stop_token_ids"])
        deliver = partial(_deliver, wire, number, cancels)
        cancels[number] = engine.submit(message["prompt"], Sampling(**sampling), deliver)
        asked.set()


def _deliver(wire: Wire, number: int, cancels: dict[int, Callable[[], None]], chunk: Chunk) -> None:
    if chunk.finish:
        cancels.pop(number, None)
    state = {"finish": chunk.finish, "cached": chunk.cached_tokens, "error": chunk.error}
    wire.send({"id": number, "tokens": chunk.tokens} | state)


def _tell_load(engine: Engine, wire: Wire, asked: threading.Event) -> None:
    """Say how busy the engine is, whenever that changed."""
    last = None
    while True:
        load = asdict(engine.load())
        if load != last:
            try:
                wire.send({"load": load})
            except OSError:
                return
        elif not (load["running"] or load["waiting"]):
            asked.wait(IDLE_EVERY_S)
            asked.clear()
            continue
        last = load
        time.sleep(LOAD_EVERY_S)


if __name__ == "__main__":
    main(int(sys.argv[1]))
