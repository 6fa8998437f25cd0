"""Low-rank adaptation: two thin matrices beside every linear layer are trained, the model itself stays as it is.

Source: Hu et al. 2021, arXiv:2106.09685.
"""

from typing import TYPE_CHECKING

from workers.lmt.methods import Method, methods
from workers.words import marked as _

if TYPE_CHECKING:
    from peft import PeftConfig

    from workers.lmt.base import TuningParams


def adapter(params: "TuningParams") -> "PeftConfig":
    from peft import LoraConfig, TaskType

    names = [name.strip() for name in params.lora_targets.split(",") if name.strip()]
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=params.lora_rank,
        lora_alpha=params.lora_alpha,
        lora_dropout=params.lora_dropout,
        target_modules="all-linear" if names == ["all-linear"] else names,
    )


def trained(shape: dict[str, int], parameters: int, rank: int) -> int:
    """Numbers in the adapter on all linear layers: rank × (inputs + outputs) of each. Key and value projections are
    counted as if every head had its own, so this is an upper bound for grouped attention."""
    hidden, inner = shape.get("hidden_size", 0), shape.get("intermediate_size", 0)
    return rank * shape.get("layers", 0) * (4 * 2 * hidden + 3 * (hidden + inner))


methods.add("lora", Method(_("LoRA"), learning_rate=1e-3, adapter=adapter, trained=trained))
