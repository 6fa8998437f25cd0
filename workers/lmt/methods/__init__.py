"""Which weights a tuning run changes. One file per method, see docs/how-to/add-a-training-method.md."""

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

    learning_rate: what is used when nobody says. whole: every weight is trained. adapter(params, layers): the adapter
    to train beside frozen weights, None when there is none; layers: names of the model's modules; raises InvalidInput
    when one that is asked for is not there. trained(shape, parameters, rank): how many numbers are trained.
    """

    label: str
    learning_rate: float
    whole: bool
    adapter: Callable[["TuningParams", list[str]], "PeftConfig | None"]
    trained: Callable[[dict[str, int], int, int], int]


methods: Registry[Method] = Registry("tuning method", "workers.lmt.methods")
