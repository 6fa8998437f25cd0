"""Low-rank adaptation: two thin matrices beside every linear layer are trained, the model itself stays as it is.

Source: Hu et al. 2021, arXiv:2106.09685.
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
    )


def trained(shape: dict[str, int], parameters: int, rank: int) -> int:
    return low_rank(shape, rank)


methods.add("lora", Method("LoRA", learning_rate=1e-3, whole=False, adapter=adapter, trained=trained))
