"""Loading a model of the store for work on it: safetensors only, never code of the model's own."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.errors import InvalidInput
from workers.words import marked as _

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def device() -> "torch.device":
    """The device this run was given: the scheduler shows a run only its own."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(name: str = "auto") -> "torch.dtype":
    """`auto` is float32 on processors, which compute in nothing less at speed, and bfloat16 on accelerators."""
    import torch

    if name == "auto":
        return torch.float32 if device().type == "cpu" else torch.bfloat16
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def set_up(count: int) -> None:
    """Compute with exactly as many threads as were granted, so that results repeat and neighbours are left alone; and
    keep the library's progress bars out of the log, which has its own."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(max(1, count))
    disable_progress_bar()


def load_model(folder: Path, dtype: str = "auto") -> "PreTrainedModel":
    """The causal language model in `folder`, on this run's device, ready for inference.

    Raises InvalidInput when weights and config do not fit together.
    """
    from transformers import AutoModelForCausalLM

    try:
        model: PreTrainedModel
        report: dict[str, Any]
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=compute_dtype(dtype),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (ValueError, KeyError, RuntimeError, OSError, TypeError) as error:
        if "memory" in str(error).lower():
            raise
        raise _unreadable(error) from error
    if report["missing_keys"] or report["mismatched_keys"]:
        bad = sorted(str(key) for key in [*report["missing_keys"], *report["mismatched_keys"]])
        raise InvalidInput(
            _("The weights do not fit the config: %(count)d tensors are missing or misshapen, such as %(tensor)s."),
            code="model_weights_do_not_fit",
            count=len(bad),
            tensor=bad[0],
        )
    model.to(device())  # type: ignore[arg-type]
    return model.eval()


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in `folder`, with a padding token (its end token when it has none of its own)."""
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (ValueError, KeyError, OSError, TypeError, AttributeError) as error:
        raise InvalidInput(
            _("The tokenizer cannot be read: %(error)s"), code="tokenizer_unreadable", error=str(error)[:300]
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _unreadable(error: Exception) -> InvalidInput:
    return InvalidInput(_("The model cannot be read: %(error)s"), code="model_unreadable", error=str(error)[:300])
