"""What a training run leaves: the adapter, when one was trained, and always a whole model."""

from typing import Any

import torch
from peft import PeftModel
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase

from workers.io import RunIO
from workers.lms.model_folder import Facts, read_facts
from workers.lmt.base import TuningParams


def keep(params: TuningParams, io: RunIO, trained: Any, tokenizer: PreTrainedTokenizerBase, base: Facts) -> None:
    """Save output `model`, and `adapter` when there is one. The caller announces `model` once it has measured it."""
    model: PreTrainedModel = _merge(params, io, trained, tokenizer) if isinstance(trained, PeftModel) else trained
    # Training switches the cache off in the config; the result gets what the base had.
    model.config.use_cache = getattr(AutoConfig.from_pretrained(io.input("model")), "use_cache", True)
    model.to(dtype=getattr(torch, base.dtype if params.save_dtype == "auto" else params.save_dtype))  # type: ignore[call-overload]
    model.save_pretrained(io.output("model"))
    tokenizer.save_pretrained(io.output("model"))


def _merge(params: TuningParams, io: RunIO, trained: PeftModel, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    out = io.output("adapter")
    for config in trained.peft_config.values():
        config.base_model_name_or_path = params.model  # its id in the store, not a path of this machine
        if isinstance(config.target_modules, set):
            config.target_modules = sorted(config.target_modules)  # a set is written in another order every time
    trained.save_pretrained(out, save_embedding_layers=False)  # they are not trained, and looking for them asks the hub
    (out / "README.md").unlink(missing_ok=True)  # a card without content that names a path of this machine
    tokenizer.save_pretrained(out)
    numbers = sum(value.numel() for name, value in trained.named_parameters() if value.requires_grad)
    facts = Facts(
        family=read_facts(io.input("model")).family,
        format="adapter",
        parameters=numbers,
        dtype="float32",
        context_length=None,
    )
    io.artefact("adapter", "model_version", out, **facts.meta())
    merged: PreTrainedModel = trained.merge_and_unload()
    return merged
