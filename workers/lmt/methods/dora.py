"""Weight-decomposed low-rank adaptation: LoRA's two thin matrices turn each layer's weights, and one trained number per
output sets how long they are.

Source: Liu et al. 2024, arXiv:2402.09353.
"""

from typing import TYPE_CHECKING

from workers.lmt.layers import chosen, low_rank
from workers.lmt.methods import Method, methods

if TYPE_CHECKING:
    from peft import PeftConfig

    from workers.lmt.base import TuningParams


def adapter(params: "TuningParams", layers: list[str]) -> "PeftConfig":
    from peft import LoraConfig, TaskType

    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=params.lora_rank,
        lora_alpha=params.lora_alpha,
        lora_dropout=params.lora_dropout,
        target_modules=chosen(params, layers),
        use_dora=True,
    )


def trained(shape: dict[str, int], parameters: int, rank: int) -> int:
    lengths = shape.get("layers", 0) * (5 * shape.get("hidden_size", 0) + 2 * shape.get("intermediate_size", 0))
    return low_rank(shape, rank) + lengths


methods.add("dora", Method("DoRA", learning_rate=1e-3, whole=False, adapter=adapter, trained=trained))
