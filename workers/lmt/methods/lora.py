"""Low-rank adaptation: two thin matrices beside every linear layer are trained, the model itself stays as it is.

Source: Hu et al. 2021, arXiv:2106.09685.
"""

from typing import TYPE_CHECKING

from workers.errors import InvalidInput
from workers.lmt.methods import Method, methods
from workers.words import marked as _

if TYPE_CHECKING:
    from peft import PeftConfig

    from workers.lmt.base import TuningParams

ALL = "all-linear"


def adapter(params: "TuningParams", layers: list[str]) -> "PeftConfig":
    from peft import LoraConfig, TaskType

    names = [name.strip() for name in params.lora_targets.split(",") if name.strip()]
    missing = [name for name in names if name != ALL and not any(f".{layer}".endswith(f".{name}") for layer in layers)]
    if missing or not names:
        raise InvalidInput(
            _("The model has no layers named %(names)s; some of its layers are %(known)s."),
            code="lora_targets",
            names=", ".join(missing)[:300],
            known=", ".join(sorted({layer.rpartition(".")[2] for layer in layers if layer}))[:300],
        )
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=params.lora_rank,
        lora_alpha=params.lora_alpha,
        lora_dropout=params.lora_dropout,
        target_modules=ALL if ALL in names else names,
    )


def trained(shape: dict[str, int], parameters: int, rank: int) -> int:
    """Numbers in the adapter on all linear layers: rank × (inputs + outputs) of each. Key and value projections are
    counted as if every head had its own, so this is an upper bound for grouped attention."""
    hidden, inner = shape.get("hidden_size", 0), shape.get("intermediate_size", 0)
    return rank * shape.get("layers", 0) * (4 * 2 * hidden + 3 * (hidden + inner))


methods.add("lora", Method(_("LoRA"), learning_rate=1e-3, whole=False, adapter=adapter, trained=trained))
