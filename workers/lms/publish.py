"""A checkpoint of a tuning run becomes a model like any other."""

import json
from pathlib import Path
from typing import Any

from workers import kinds
from workers.errors import InvalidInput
from workers.io import RunIO
from workers.kinds import Resources
from workers.lms.loading import load_model, load_tokenizer, set_up
from workers.lms.model_folder import read_facts, refuse_unsafe
from workers.params import Params as BaseParams
from workers.params import artefact, param
from workers.words import marked as _

ADAPTER = "adapter_config.json"


class Params(BaseParams):
    model: str = artefact("model_version", label=_("Base model"), help=_("The model the run started from."))
    checkpoint: str = artefact("checkpoint", label=_("Checkpoint"), help=_("Kept from a tuning run."))
    name: str = param(
        label=_("Name of the new model"),
        help=_("An existing name gets a new version."),
        simple=True,
        max_length=120,
        pattern=r"^[^\s:/\\][^:/\\]*$",
    )


@kinds.register("lms.publish", label=_("Publish a checkpoint"), resources=Resources(cpus=2))
def run(params: Params, io: RunIO) -> dict[str, Any]:
    """Make a whole model of a checkpoint: an adapter is merged into its base, whole weights are taken as they are."""
    set_up(io.spec.cpus)
    base, checkpoint = io.input("model"), io.input("checkpoint")
    for folder in (base, checkpoint):
        refuse_unsafe(folder)
    io.progress(0, 1, _("Loading the model"))
    is_adapter = (checkpoint / ADAPTER).exists()
    model: Any = load_model(base if is_adapter else checkpoint, "float32")
    if is_adapter:
        model = _merged(model, checkpoint)
    io.progress(0, 1, _("Saving"))
    import torch

    facts = read_facts(base)
    model.to(dtype=getattr(torch, facts.dtype) if hasattr(torch, facts.dtype) else torch.float32)
    out = io.output("model")
    model.save_pretrained(out)
    load_tokenizer(checkpoint if (checkpoint / "tokenizer_config.json").exists() else base).save_pretrained(out)
    io.artefact("model", "model_version", out, **read_facts(out).meta())
    return {"merged": is_adapter}


def _merged(model: Any, checkpoint: Path) -> Any:
    """Raises InvalidInput when the adapter does not belong to this model."""
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, checkpoint, is_trainable=False).merge_and_unload()
    except (ValueError, KeyError, RuntimeError, TypeError, json.JSONDecodeError) as error:
        raise InvalidInput(
            _("The checkpoint does not fit this base model: %(error)s"), code="checkpoint_unfit", error=str(error)[:300]
        ) from error
