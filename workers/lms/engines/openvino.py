"""The embedded engine: openvino-genai's continuous batching in this process, over a GGUF file.

A merged Llama-family model is written as F16 GGUF first. Prompts come in and go out as token numbers, so the tokenizer
that trained the model is the one that serves it; the one openvino builds from the GGUF is never asked.
"""

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.errors import InvalidInput
from workers.lms import gguf_export
from workers.lms.engines.base import Chunk, Engine, Load, Sampling, Settings, register
from workers.lms.engines.prefixes import PrefixBook
from workers.words import marked as _

BLOCK_TOKENS = 32
"""Tokens in a block of the key/value cache on CPU."""


def why_not(folder: Path, config: dict[str, Any]) -> str:
    import importlib.util

    if importlib.util.find_spec("openvino_genai") is None:
        return "openvino-genai is not installed"
    return gguf_export.why_not(config)


@register("embedded", label=_("Embedded engine (OpenVINO)"), order=10, why_not=why_not)
def start(settings: Settings) -> Engine:
    """Load the model. `f32` computes what training computed; `f16` is faster and may differ in the last digits."""
    import openvino_genai as genai

    weights = gguf_export.export(settings.model, settings.scratch / "model.gguf")
    plan = genai.SchedulerConfig()
    plan.num_kv_blocks = _blocks(settings)
    plan.enable_prefix_caching = settings.prefix_cache
    plan.max_num_seqs = settings.max_running
    properties: dict[str, Any] = {"INFERENCE_NUM_THREADS": settings.threads}
    if settings.precision == "f32":
        properties |= {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    try:
        pipeline = genai.ContinuousBatchingPipeline(str(weights), plan, "CPU", properties)
    except (RuntimeError, IndexError, ValueError) as error:  # whatever its C++ throws
        raise InvalidInput(
            _("The embedded engine could not load this model: %(error)s"), error=str(error).splitlines()[-1][:500]
        ) from error
    finally:
        weights.unlink()  # its tensors are in memory now
    return OpenVinoEngine(pipeline, settings)


def _blocks(settings: Settings) -> int:
    """How many blocks the cache has, each with keys and values of all layers."""
    config = json.loads((settings.model / "config.json").read_text())
    heads = config.get("num_key_value_heads") or config["num_attention_heads"]
    numbers = 2 * config["num_hidden_layers"] * heads * gguf_export.head_size(config) * BLOCK_TOKENS
    size = 4 if settings.precision == "f32" else 2
    return settings.cache_blocks(BLOCK_TOKENS, size * numbers)


@dataclass
class Running:
    """A request the pipeline is working on."""

    prompt: list[int]
    handle: Any
    deliver: Callable[[Chunk], None]
    cached: int
    tokens: list[int]


class OpenVinoEngine(Engine):
    """One thread owns the pipeline; everyone else leaves messages for it."""

    def __init__(self, pipeline: Any, settings: Settings) -> None:
        self._pipeline = pipeline
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._running: dict[int, Running] = {}
        self._waiting = 0
        self._next = 0
        self._max_running = settings.max_running
        self._open = True
        self._cache_use = 0.0
        blocks = _blocks(settings)
        self.capacity = blocks * BLOCK_TOKENS
        self._book = PrefixBook(BLOCK_TOKENS, blocks) if settings.prefix_cache else None
        self._thread = threading.Thread(target=self._run, name="openvino", daemon=True)
        self._thread.start()

    def submit(self, prompt: list[int], sampling: Sampling, deliver: Callable[[Chunk], None]) -> Callable[[], None]:
        self._next += 1
        number = self._next
        self._waiting += 1
        self._inbox.put(lambda: self._add(number, prompt, sampling, deliver))
        return lambda: self._inbox.put(lambda: self._cancel(number))

    def load(self) -> Load:
        running = min(len(self._running), self._max_running)
        return Load(running, self._waiting + len(self._running) - running, self._cache_use)

    def close(self) -> None:
        self._inbox.put(None)
        self._thread.join(timeout=30)

    # --- from here on only the engine's own thread

    def _run(self) -> None:
        while self._open:
            self._read_inbox()
            if not self._running or not self._open:
                continue
            try:
                self._pipeline.step()
            except RuntimeError as error:
                self._fail_all(str(error))
                continue
            for number in list(self._running):
                self._deliver(number)
            self._cache_use = self._pipeline.get_metrics().cache_usage / 100
        self._fail_all("the engine is stopping")

    def _read_inbox(self) -> None:
        """Act on every waiting message; sleep for the first one when there is nothing to compute."""
        while not self._inbox.empty() or not self._running:
            message = self._inbox.get()
            if message is None:
                self._open = False
                return
            message()

    def _add(self, number: int, prompt: list[int], sampling: Sampling, deliver: Callable[[Chunk], None]) -> None:
        import numpy as np
        import openvino as ov

        tokens = ov.Tensor(np.array([prompt], dtype=np.int64))
        try:
            handle = self._pipeline.add_request(number, tokens, _config(sampling))
        except RuntimeError as error:
            self._waiting -= 1
            deliver(Chunk([], "error", error=str(error).splitlines()[-1]))
            return
        cached = self._book.known(prompt) if self._book else 0
        self._running[number] = Running(prompt, handle, deliver, cached, [])
        self._waiting -= 1  # only now: at no moment is the request neither waiting nor running

    def _cancel(self, number: int) -> None:
        request = self._running.pop(number, None)
        if request:
            request.handle.cancel()

    def _deliver(self, number: int) -> None:
        request = self._running[number]
        tokens, finish = [], ""
        while request.handle.can_read():
            for output in request.handle.read().values():
                tokens += output.generated_ids
                finish = finish or FINISHES.get(output.finish_reason.name, "")
        if not finish and request.handle.get_status().name not in ("RUNNING", "FINISHED"):
            finish = "error"  # the scheduler gave up: the prompt does not fit into the cache
        request.tokens += tokens
        if self._book and (finish or len(request.tokens) == len(tokens)):
            self._book.add([*request.prompt, *request.tokens[:-1]])
        if finish:
            del self._running[number]
        if tokens or finish:
            error = "the prompt does not fit into the key/value cache" if finish == "error" else ""
            request.deliver(Chunk(tokens, finish, request.cached, error))

    def _fail_all(self, error: str) -> None:
        for request in self._running.values():
            request.handle.cancel()
            request.deliver(Chunk([], "error", error=error[:500]))
        self._running.clear()


FINISHES = {"STOP": "stop", "LENGTH": "length"}


def _config(sampling: Sampling) -> Any:
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.max_new_tokens = sampling.max_tokens
    config.stop_token_ids = set(sampling.stop_token_ids)
    config.do_sample = sampling.temperature > 0
    if config.do_sample:
        config.temperature = sampling.temperature
        config.top_p = sampling.top_p
        if sampling.top_k:
            config.top_k = sampling.top_k
        config.rng_seed = sampling.seed if sampling.seed is not None else _random_seed()
    config.presence_penalty = sampling.presence_penalty
    config.frequency_penalty = sampling.frequency_penalty
    return config


def _random_seed() -> int:
    import secrets

    return secrets.randbits(31)
