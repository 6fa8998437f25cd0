"""What a model answers: its most likely words, one question at a time."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def greedy_answer(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompt: Sequence[int],
    tokens: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> str:
    """The text after the prompt's tokens, of at most so many tokens. should_stop: asked after each; true ends it there.

    The model must be in evaluation mode. Draws no random numbers.
    """
    import torch

    def done(ids: torch.Tensor, scores: object, **more: object) -> torch.Tensor:
        return torch.full((len(ids),), should_stop(), device=ids.device)

    ids = torch.tensor([list(prompt)], device=model.device)
    written = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        use_cache=True,
        max_new_tokens=tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        stopping_criteria=[done],
    )
    return str(tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)).strip()
