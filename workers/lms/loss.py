"""Held-out loss: how surprised a model is by answers it has not learned, in nats per token."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from workers.lms.chat import IGNORED, Encoded

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

BATCH_TOKENS = 2048
"""Tokens a forward pass reads at most, padding included."""


def answer_loss(
    model: "PreTrainedModel",
    rows: Sequence[Encoded],
    batch_tokens: int = BATCH_TOKENS,
    on_batch: Callable[[int], None] | None = None,
) -> float:
    """Mean negative log-likelihood of the answers' tokens, each token counted alike, in nats.

    on_batch: called with the number of rows read so far. Draws no random numbers, so a training run is not disturbed.
    """
    import torch

    training = model.training
    model.eval()
    total, count, done = 0.0, 0, 0
    try:
        with torch.inference_mode():
            for batch in batches(rows, batch_tokens):
                total += float(answer_nats(model, batch).sum())
                count += sum(row.answer_tokens for row in batch)
                done += len(batch)
                if on_batch:
                    on_batch(done)
    finally:
        model.train(training)
    return total / max(1, count)


def batches(rows: Sequence[Encoded], batch_tokens: int) -> Iterator[list[Encoded]]:
    """Rows of similar length together, longest first, so that little is padded."""
    waiting = sorted(rows, key=lambda row: -len(row.ids))
    while waiting:
        size = max(1, batch_tokens // max(1, len(waiting[0].ids)))
        yield waiting[:size]
        waiting = waiting[size:]


def answer_nats(model: "PreTrainedModel", batch: Sequence[Encoded]) -> "Tensor":
    """Negative log-likelihood of every answer token of the batch, shape (tokens,), float32.

    Only positions before an answer token pass through the output layer, which is most of the work of a small model.
    """
    import torch
    from torch.nn.functional import cross_entropy

    device = next(model.parameters()).device
    length = max(len(row.ids) for row in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for number, row in enumerate(batch):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        mask[number, : len(row.ids)] = 1
        labels[number, : len(row.ids)] = torch.tensor(row.labels)
    wanted = labels[:, 1:] != IGNORED  # (rows, length - 1): positions whose next token is part of an answer
    positions = wanted.any(0).nonzero().squeeze(1)
    logits = model(
        input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False, logits_to_keep=positions.to(device)
    ).logits.float()  # (rows, positions, vocabulary)
    chosen = wanted[:, positions]
    targets = labels[:, 1:][:, positions][chosen].to(device)
    return cross_entropy(logits[chosen.to(device)], targets, reduction="none")
