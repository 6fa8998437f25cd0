"""Full tuning: every weight of the model is trained."""

from typing import TYPE_CHECKING

from workers.lmt.methods import Method, methods
from workers.words import marked as _

if TYPE_CHECKING:
    from workers.lmt.base import TuningParams


def adapter(params: "TuningParams", layers: list[str]) -> None:
    return None


def trained(shape: dict[str, int], parameters: int, rank: int) -> int:
    return parameters


methods.add("full", Method(_("Full tuning"), learning_rate=2e-5, whole=True, adapter=adapter, trained=trained))
