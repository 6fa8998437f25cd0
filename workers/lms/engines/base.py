"""What a serving engine must give, and the registry that finds engines."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.errors import InvalidInput
from workers.registry import Registry
from workers.words import marked as _

AS_COMPUTED = {"f32": 4.0, "f16": 2.0}
REMEMBERED = 8
"""Past conversations worth keeping in the cache, for each one that may run."""


@dataclass(frozen=True)
class Settings:
    """How to start an engine. context_length: tokens of prompt and answer together; cache_gib: memory of the key/value
    cache; threads: cores it may use; max_running: requests computed together; precision: `f32` or `f16`."""

    model: Path
    scratch: Path
    context_length: int
    cache_gib: float = 1.0
    threads: int = 1
    max_running: int = 64
    precision: str = "f32"
    prefix_cache: bool = True

    def cache_blocks(self, block_tokens: int, block_bytes: int) -> int:
        """How many blocks of the key/value cache to have: what fits into the memory that was given, but no more than
        running requests and what is remembered of earlier ones can fill."""
        useful = math.ceil(self.context_length / block_tokens) * self.max_running * REMEMBERED
        return max(4, min(int(self.cache_gib * 2**30 / block_bytes), useful))


@dataclass(frozen=True)
class Sampling:
    """How to pick tokens. temperature 0 is greedy; top_k 0 means all; a repeated seed repeats the answer."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop_token_ids: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Chunk:
    """New tokens of one answer. finish: empty while it goes on, then `stop`, `length` or `error`."""

    tokens: list[int]
    finish: str = ""
    cached_tokens: int | None = None
    """Tokens of the prompt taken from the cache; None where the engine does not say."""
    error: str = ""


@dataclass(frozen=True)
class Load:
    """How busy an engine is. cache_use: used part of the key/value cache, 0 to 1."""

    running: int
    waiting: int
    cache_use: float


class Engine(ABC):
    """A loaded model that computes many requests at once, on threads of its own.

    capacity: tokens its key/value cache has room for; a longer request could never run.
    """

    capacity: int

    @abstractmethod
    def submit(self, prompt: list[int], sampling: Sampling, deliver: Callable[[Chunk], None]) -> Callable[[], None]:
        """Start computing an answer. `deliver` is called from the engine's thread, the last time with a finish.
        Returns what cancels the request; cancelling twice, or after the end, does nothing."""

    @abstractmethod
    def load(self) -> Load:
        """How busy it is right now."""

    @abstractmethod
    def close(self) -> None:
        """End its threads. Requests still running get a finish of `error`."""


@dataclass(frozen=True)
class Runtime:
    """A way to serve models. `why_not(folder, config)` is empty when it can serve that model, else the reason.
    `order`: `auto` takes the lowest that can. `weight_bytes`: memory it keeps for a parameter, by precision."""

    name: str
    label: str
    order: int
    why_not: Callable[[Path, dict[str, Any]], str]
    start: Callable[[Settings], Engine]
    weight_bytes: dict[str, float]


runtimes: Registry[Runtime] = Registry("serving runtime", "workers.lms.engines")


def register(
    name: str,
    *,
    label: str,
    order: int,
    why_not: Callable[[Path, dict[str, Any]], str],
    weight_bytes: dict[str, float] = AS_COMPUTED,
) -> Callable[[Callable[[Settings], Engine]], Callable[[Settings], Engine]]:
    """Register the decorated `start(settings)` as a runtime."""

    def decorate(start: Callable[[Settings], Engine]) -> Callable[[Settings], Engine]:
        runtimes.add(name, Runtime(name, label, order, why_not, start, weight_bytes))
        return start

    return decorate


def fitting(wanted: str, folder: Path, config: dict[str, Any]) -> list[Runtime]:
    """The runtime of that name, or for `auto` all that can serve the model, best first.

    Raises NotFound for an unknown name, InvalidInput when it (or all of them) cannot serve this model.
    """
    if wanted != "auto":
        candidates = [runtimes.get(wanted)]
    else:
        candidates = sorted((runtime for _name, runtime in runtimes.items()), key=lambda runtime: runtime.order)
    reasons = {runtime.name: runtime.why_not(folder, config) for runtime in candidates}
    able = [runtime for runtime in candidates if not reasons[runtime.name]]
    if not able:
        said = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise InvalidInput(_("This model cannot be served here (%(reasons)s)."), reasons=said)
    return able
