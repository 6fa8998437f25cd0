"""Continuous batching of the transformers library: slower on a processor, but it reads every architecture it knows."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from workers.errors import InvalidInput
from workers.lms.engines.base import Chunk, Engine, Load, Sampling, Settings, register
from workers.words import marked as _

PAGE_TOKENS = 32
BATCH_TOKENS = 512
START_S = 300.0
"""A large cache is cleared page by page, which a busy machine takes its time for."""


def why_not(folder: Path, config: dict[str, Any]) -> str:
    if config.get("auto_map"):
        return "the model wants to run code of its own"
    return "" if any(folder.glob("*.safetensors")) else "no safetensors files"


@register("transformers", label=_("transformers (any architecture)"), order=20, why_not=why_not)
def start(settings: Settings) -> Engine:
    """Load the model in float32 (or bfloat16 for `f16`) and start its batching thread."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(settings.threads)
    dtype = torch.float32 if settings.precision == "f32" else torch.bfloat16
    try:
        model = AutoModelForCausalLM.from_pretrained(
            settings.model, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise InvalidInput(
            _("The transformers engine could not load this model: %(error)s"), error=str(error)[:500]
        ) from error
    return TransformersEngine(model, settings)


def blocks(config: Any, settings: Settings, bytes_per_number: int) -> int:
    """How many pages the cache has, each with keys and values of all layers. The library also makes masks and tables
    as wide as the whole cache: pages that nothing can fill would cost a small model gigabytes."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    page = 2 * bytes_per_number * config.num_hidden_layers * heads * size * PAGE_TOKENS
    return settings.cache_blocks(PAGE_TOKENS, page)


class TransformersEngine(Engine):
    """Wraps the library's manager, which computes on a thread of its own; another one here hands results on."""

    def __init__(self, model: Any, settings: Settings) -> None:
        from transformers import ContinuousBatchingConfig, GenerationConfig

        config = model.config.get_text_config()
        pages = blocks(config, settings, model.dtype.itemsize)
        self.capacity = pages * PAGE_TOKENS
        self._all = int(config.vocab_size)
        self._requests: dict[str, Request] = {}
        self._cached: dict[str, int] = {}
        self._next = 0
        self._manager = model.init_continuous_batching(
            # Requests can set only what the general config sets to something that changes logits.
            generation_config=GenerationConfig(
                do_sample=True, temperature=0.999, top_k=self._all, top_p=0.999, eos_token_id=-1
            ),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=pages,
                max_batch_tokens=BATCH_TOKENS,
                max_requests_per_batch=settings.max_running,
                allow_block_sharing=settings.prefix_cache,
                per_request_processors=True,
            ),
        )
        self._manager.start()
        self._cache = self._wait_for_cache()
        threading.Thread(target=self._hand_on, name="results", daemon=True).start()

    def _wait_for_cache(self) -> Any:
        """The cache, made by the library's thread; its prefix search also tells us what it found."""
        until = time.monotonic() + START_S
        while self._manager.batch_processor is None:
            if time.monotonic() > until or not self._manager.is_running():
                raise InvalidInput(_("The transformers engine could not start; the log shows why."))
            time.sleep(0.02)
        cache = self._manager.batch_processor.cache
        search = cache.search_prefix_match

        def noted(name: str, tokens: list[int]) -> int:
            self._cached[name] = int(search(name, tokens))
            return self._cached[name]

        cache.search_prefix_match = noted
        return cache

    def submit(self, prompt: list[int], sampling: Sampling, deliver: Callable[[Chunk], None]) -> Callable[[], None]:
        self._next += 1
        name = str(self._next)
        self._requests[name] = Request(sampling.stop_token_ids, deliver)
        stops = sorted(sampling.stop_token_ids) or -1
        self._manager.add_request(
            prompt, name, sampling.max_tokens, streaming=True, eos_token_id=stops, **self._choices(sampling)
        )
        return partial(self._cancel, name)

    def _choices(self, sampling: Sampling) -> dict[str, Any]:
        """Greedy is sampling from the best token alone. The library has no seed of a single request."""
        if sampling.temperature == 0:
            return {"temperature": 1.0, "top_k": 1, "top_p": 1.0}
        top_k = min(sampling.top_k or self._all, self._all)
        return {"temperature": float(sampling.temperature), "top_k": top_k, "top_p": float(sampling.top_p)}

    def load(self) -> Load:
        requests = list(self._requests.values())
        running = sum(request.sent > 0 for request in requests)
        return Load(running, len(requests) - running, 1 - float(self._cache.compute_free_capacity(relative=True)))

    def close(self) -> None:
        self._manager.stop(block=True, timeout=10, hard_stop=True)

    def _cancel(self, name: str) -> None:
        if self._requests.pop(name, None):
            self._manager.cancel_request(name)

    def _hand_on(self) -> None:
        for output in self._manager:
            request = self._requests.get(output.request_id)
            if request is not None:
                self._deliver(output, request)
        for request in self._requests.values():
            request.deliver(Chunk([], "error", error="the engine has ended"))

    def _deliver(self, output: Any, request: "Request") -> None:
        tokens = output.generated_tokens[request.sent :]
        request.sent += len(tokens)
        finish = ""
        if output.error is not None:
            finish = "error"
        elif output.is_finished():
            finish = "stop" if output.generated_tokens and output.generated_tokens[-1] in request.stops else "length"
        cached = self._cached.get(output.request_id)
        if finish:
            self._requests.pop(output.request_id, None)
            self._cached.pop(output.request_id, None)
        if tokens or finish:
            request.deliver(Chunk(tokens, finish, cached, str(output.error or "")[:500]))


@dataclass
class Request:
    """sent: tokens handed on so far."""

    stops: frozenset[int]
    deliver: Callable[[Chunk], None]
    sent: int = 0
