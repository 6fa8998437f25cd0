"""Log-likelihood of answers, batched for machines with few cores.

Questions of a benchmark share most of what the model reads: the examples before them, or the question before its
choices. What is shared is read once, and of the rest only the answers' positions pass through the output layer.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

BATCH_TOKENS = 2048
"""Tokens a forward pass reads at most, padding included."""
LEAST_SHARED = 24
"""Tokens that several inputs must have in common before reading them apart pays."""

Request = tuple[list[int], list[int]]
"""(context, continuation) as tokens, both not empty."""
Score = tuple[float, bool]
"""(log-likelihood of the continuation in nats, would greedy decoding have written it?)."""


@dataclass(frozen=True)
class Input:
    """Something the model reads once. ids: its tokens; asked: (request number, continuation) that its logits answer."""

    ids: list[int]
    asked: list[tuple[int, list[int]]]


@dataclass(frozen=True)
class Group:
    """Inputs whose first `shared` tokens are the same."""

    inputs: list[Input]
    shared: int


def score(
    model: PreTrainedModel,
    requests: Sequence[Request],
    max_length: int,
    batch_tokens: int = BATCH_TOKENS,
    share: bool = True,
    on_batch: Callable[[int], None] | None = None,
) -> list[Score]:
    """Scores in the order of the requests. on_batch: called with the number of requests answered so far."""
    scores: list[Score | None] = [None] * len(requests)
    done = 0
    for group in group_inputs(unique_inputs(requests, max_length), share):
        for batch, logits in _forward(model, group, batch_tokens):
            for entry, rows in zip(batch, logits, strict=True):
                for number, continuation in entry.asked:
                    scores[number] = _judge(rows[len(rows) - len(continuation) :], continuation)
                done += len(entry.asked)
            if on_batch:
                on_batch(done)
    return [entry for entry in scores if entry is not None]


def unique_inputs(requests: Sequence[Request], max_length: int) -> list[Input]:
    """What must be read: the last token of a continuation never is, so choices of one token share an input. Inputs that
    do not fit lose their beginning. Sorted by tokens, so that equal beginnings lie together."""
    found: dict[tuple[int, ...], Input] = {}
    for number, (context, continuation) in enumerate(requests):
        ids = (context + continuation)[-(max_length + 1) :][:-1]
        entry = found.setdefault(tuple(ids), Input(ids, []))
        entry.asked.append((number, continuation))
    return [found[key] for key in sorted(found)]


def group_inputs(inputs: Sequence[Input], share: bool) -> Iterator[Group]:
    """Neighbours that share at least half of what they read, with that beginning; all others together, sharing none."""
    alone: list[Input] = []
    start = 0
    while start < len(inputs):
        end, shared = start + 1, 0
        while share and end < len(inputs):
            common = _common(inputs[start].ids, inputs[end].ids, shared or len(inputs[start].ids))
            if common < max(LEAST_SHARED, len(inputs[end].ids) // 2):
                break
            end, shared = end + 1, common
        if end - start > 1:
            # An input may be the beginning of another; at least one token must be left to read.
            yield Group(
                list(inputs[start:end]), min(shared, *(len(entry.ids) - _needed(entry) for entry in inputs[start:end]))
            )
        else:
            alone.append(inputs[start])
        start = end
    if alone:
        yield Group(alone, 0)


def _needed(entry: Input) -> int:
    """Tokens at the end of an input whose logits are asked for."""
    return max(len(continuation) for _number, continuation in entry.asked)


def _common(first: list[int], second: list[int], limit: int) -> int:
    length = min(len(first), len(second), limit)
    for position in range(length):
        if first[position] != second[position]:
            return position
    return length


def _forward(
    model: PreTrainedModel, group: Group, batch_tokens: int
) -> Iterator[tuple[list[Input], list[torch.Tensor]]]:
    """Batches of the group with, for each input, the logits that are asked for, shape (needed, vocabulary), float32."""
    shared = group.shared
    prefix = _read_prefix(model, group.inputs[0].ids[:shared]) if shared else None
    waiting = sorted(group.inputs, key=lambda entry: -len(entry.ids))
    while waiting:
        size = max(1, batch_tokens // (len(waiting[0].ids) - shared))
        batch, waiting = waiting[:size], waiting[size:]
        yield batch, _read(model, batch, shared, prefix)


@torch.inference_mode()
def _read_prefix(model: PreTrainedModel, ids: list[int]) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    model(input_ids=torch.tensor([ids], device=model.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


@torch.inference_mode()
def _read(model: PreTrainedModel, batch: list[Input], shared: int, prefix: DynamicCache | None) -> list[torch.Tensor]:
    lengths = [len(entry.ids) - shared for entry in batch]
    longest = max(lengths)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), shared + longest, dtype=torch.long)
    wanted = torch.zeros(len(batch), longest, dtype=torch.bool)
    for number, (entry, length) in enumerate(zip(batch, lengths, strict=True)):
        ids[number, :length] = torch.tensor(entry.ids[shared:])
        mask[number, : shared + length] = 1
        wanted[number, length - _needed(entry) : length] = True
    positions = wanted.any(0).nonzero().squeeze(1)
    more: dict[str, Any] = {"use_cache": False}
    if prefix is not None:
        cache = copy.deepcopy(prefix)
        cache.batch_repeat_interleave(len(batch))
        places = torch.arange(shared, shared + longest).expand(len(batch), -1)
        more = {"past_key_values": cache, "use_cache": True, "position_ids": places.to(model.device)}
    logits = model(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        logits_to_keep=positions.to(model.device),
        **more,
    ).logits.float()  # (batch, positions, vocabulary)
    return [rows[chosen] for rows, chosen in zip(logits, wanted[:, positions].to(logits.device), strict=True)]


def _judge(logits: torch.Tensor, continuation: list[int]) -> Score:
    """logits: (tokens, vocabulary)."""
    targets = torch.tensor(continuation, device=logits.device)
    chosen = torch.log_softmax(logits, dim=-1).gather(1, targets.unsqueeze(1))
    return float(chosen.sum()), bool((logits.argmax(-1) == targets).all())
