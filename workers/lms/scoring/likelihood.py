"""Log-likelihood of answers, batched for machines with few cores.

Questions of a benchmark share most of what the model reads: the examples before them, and the question before its
choices. A forward pass streams all weights through the processor whatever it reads, so the work is put into few passes:
examples are read once and remembered, the choices of a question hang on it like branches on a trunk, and only the
answers' positions pass through the output layer.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

BATCH_TOKENS = 2048
"""Tokens a forward pass reads at most, padding included."""
LEAST_SHARED = 24
LEAST_SAVED = 512
"""Tokens that remembering a common beginning must save before a pass of its own pays."""
BRANCHING = {
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "phi3",
    "olmo",
    "olmo2",
    "smollm3",
}
"""Kinds of models that take position numbers and a whole attention mask; others read every choice with its question."""

Request = tuple[list[int], list[int]]
"""(context, continuation) as tokens, both not empty."""
Score = tuple[float, bool]
"""(log-likelihood of the continuation in nats, would greedy decoding have written it?)."""


@dataclass
class Row:
    """A context and what may follow it. branches: continuation → numbers of the requests that ask for it."""

    trunk: list[int]
    branches: dict[tuple[int, ...], list[int]] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """What is read: the last token of a continuation never is."""
        return len(self.trunk) + sum(len(branch) - 1 for branch in self.branches)

    @property
    def long(self) -> int:
        """Branches that are read at all; with more than one the row is a tree."""
        return sum(len(branch) > 1 for branch in self.branches)


def score(
    model: PreTrainedModel,
    requests: Sequence[Request],
    max_length: int,
    batch_tokens: int = BATCH_TOKENS,
    share: bool = True,
    on_batch: Callable[[int], None] | None = None,
) -> list[Score]:
    """Scores in the order of the requests. on_batch: called with the number of requests answered so far."""
    scores: dict[int, Score] = {}
    trees = share and model.config.model_type in BRANCHING
    for rows, shared in group_rows(make_rows(requests, max_length, trees), share):
        prefix = _read_prefix(model, rows[0].trunk[:shared]) if shared else None
        for batch in _batches(rows, shared, batch_tokens):
            for row, logits in zip(batch, _read(model, batch, shared, prefix), strict=True):
                for (branch, numbers), found in zip(row.branches.items(), logits, strict=True):
                    scores |= dict.fromkeys(numbers, _judge(found, branch))
            if on_batch:
                on_batch(len(scores))
    return [scores[number] for number in range(len(requests))]


def make_rows(requests: Sequence[Request], max_length: int, trees: bool) -> list[Row]:
    """Requests with the same context become one row. What does not fit loses its beginning. Sorted by context, so that
    equal beginnings lie together. trees: rows may have several long branches."""
    rows: dict[tuple[int, ...], list[Row]] = {}
    for number, (context, continuation) in enumerate(requests):
        room = max_length + 1 - len(continuation)
        trunk, branch = context[-room:], tuple(continuation)
        known = rows.setdefault(tuple(trunk), [])
        row = next((row for row in known if branch in row.branches or trees or len(branch) == 1 or not row.long), None)
        if row is None:
            known.append(row := Row(trunk))
        row.branches.setdefault(branch, []).append(number)
    return [row for key in sorted(rows) for row in rows[key]]


def group_rows(rows: Sequence[Row], share: bool) -> Iterator[tuple[list[Row], int]]:
    """(rows, tokens at their beginning that are remembered): neighbours that share at least half of their contexts, if
    that saves enough; all others together, remembering nothing."""
    alone: list[Row] = []
    start = 0
    while start < len(rows):
        end, shared = start + 1, len(rows[start].trunk) - 1
        while share and end < len(rows):
            common = min(_common(rows[start].trunk, rows[end].trunk, shared), len(rows[end].trunk) - 1)
            if common < max(LEAST_SHARED, len(rows[end].trunk) // 2):
                break
            end, shared = end + 1, common
        if shared * (end - start - 1) >= LEAST_SAVED:
            yield list(rows[start:end]), shared
        else:
            alone += rows[start:end]
        start = end
    if alone:
        yield alone, 0


def _common(first: list[int], second: list[int], limit: int) -> int:
    length = min(len(first), len(second), limit)
    return next((position for position in range(length) if first[position] != second[position]), length)


def _batches(rows: list[Row], shared: int, batch_tokens: int) -> Iterator[list[Row]]:
    waiting = sorted(rows, key=lambda row: -row.tokens)
    while waiting:
        size = max(1, batch_tokens // (waiting[0].tokens - shared))
        yield waiting[:size]
        waiting = waiting[size:]


@torch.inference_mode()
def _read_prefix(model: PreTrainedModel, ids: list[int]) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    model(input_ids=torch.tensor([ids], device=model.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


@torch.inference_mode()
def _read(
    model: PreTrainedModel, batch: list[Row], shared: int, prefix: DynamicCache | None
) -> list[list[torch.Tensor]]:
    """For every row, for every branch: logits of its tokens, shape (tokens, vocabulary), float32."""
    places = [_places(row, shared) for row in batch]
    ids, positions = _layout(batch, shared)
    kept = sorted({place for row in places for branch in row for place in branch})
    more: dict[str, Any] = {"use_cache": False}
    if prefix is not None:
        cache = copy.deepcopy(prefix)
        cache.batch_repeat_interleave(len(batch))
        more = {"past_key_values": cache, "use_cache": True}
    if any(row.long > 1 for row in batch):
        more["attention_mask"] = _mask(batch, ids.shape[1], shared, model.dtype).to(model.device)
    if prefix is not None or "attention_mask" in more:
        more["position_ids"] = positions.to(model.device)
    # Rows are padded at their end, where no real token looks: without branches the causal order is mask enough.
    logits = model(
        input_ids=ids.to(model.device), logits_to_keep=torch.tensor(kept, device=model.device), **more
    ).logits.float()  # (rows, kept, vocabulary)
    at = {place: number for number, place in enumerate(kept)}
    return [
        [logits[number, [at[place] for place in branch]] for branch in row_places]
        for number, row_places in enumerate(places)
    ]


def _places(row: Row, shared: int) -> list[list[int]]:
    """For every branch, the places in the row whose logits predict its tokens: the trunk's end, then its own."""
    end = len(row.trunk) - shared
    places, offset = [], end
    for branch in row.branches:
        places.append([end - 1, *range(offset, offset + len(branch) - 1)])
        offset += len(branch) - 1
    return places


def _layout(batch: list[Row], shared: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(token ids, position numbers), both (rows, longest): trunk, then branch after branch, each counted on from it."""
    longest = max(row.tokens for row in batch) - shared
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    positions = torch.zeros_like(ids)
    for number, row in enumerate(batch):
        tokens, counted = row.trunk[shared:], list(range(shared, len(row.trunk)))
        for branch in row.branches:
            tokens = [*tokens, *branch[:-1]]
            counted += range(len(row.trunk), len(row.trunk) + len(branch) - 1)
        ids[number, : len(tokens)] = torch.tensor(tokens)
        positions[number, : len(counted)] = torch.tensor(counted)
    return ids, positions


def _mask(batch: list[Row], longest: int, shared: int, dtype: torch.dtype) -> torch.Tensor:
    """(rows, 1, longest, shared + longest), 0 where a token may look and the least number where not: causal, and no
    branch sees another."""
    open_ = torch.ones(longest, shared + longest, dtype=torch.bool).tril(shared)
    allowed = open_.repeat(len(batch), 1, 1)
    for number, row in enumerate(batch):
        end = len(row.trunk) - shared
        offset = end
        for branch in row.branches:
            stop = offset + len(branch) - 1
            allowed[number, offset:stop, shared + end : shared + offset] = False
            offset = stop
    return torch.zeros_like(allowed, dtype=dtype).masked_fill(~allowed, torch.finfo(dtype).min).unsqueeze(1)


def _judge(logits: torch.Tensor, continuation: Sequence[int]) -> Score:
    """logits: (tokens, vocabulary)."""
    targets = torch.tensor(continuation, device=logits.device)
    chosen = torch.log_softmax(logits, dim=-1).gather(1, targets.unsqueeze(1))
    return float(chosen.sum()), bool((logits.argmax(-1) == targets).all())
