"""Which weights a tuning run changes. One file per method: full, LoRA, later its relatives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.registry import Registry

if TYPE_CHECKING:
    from peft import PeftConfig

    from workers.lmt.base import TuningParams


@dataclass(frozen=True)
class Method:
    """One way to tune.

    learning_rate: what is used when nobody says. adapter(params): the adapter to train beside frozen weights, or None
    to train all of them. trained(shape, parameters, rank): how many numbers are trained, for the estimate.
    """

    label: str
    learning_rate: float
    adapter: Callable[["TuningParams"], "PeftConfig | None"]
    trained: Callable[[dict[str, int], int, int], int]


methods: Registry[Method] = Registry("tuning method", "workers.lmt.methods")
