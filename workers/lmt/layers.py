"""Which layers of a model an adapter stands beside, and what it costs: shared by low-rank methods. No torch in here."""

from typing import TYPE_CHECKING

from workers.errors import InvalidInput
from workers.words import marked as _

if TYPE_CHECKING:
    from workers.lmt.base import TuningParams

ALL = "all-linear"


def chosen(params: "TuningParams", layers: list[str]) -> str | list[str]:
    """`params.lora_targets` as PEFT takes it. layers: names of the model's modules. Raises InvalidInput when one that
    is asked for is not there."""
    names = [name.strip() for name in params.lora_targets.split(",") if name.strip()]
    missing = [name for name in names if name != ALL and not any(f".{layer}".endswith(f".{name}") for layer in layers)]
    if missing or not names:
        raise InvalidInput(
            _("The model has no layers named %(names)s; some of its layers are %(known)s."),
            code="lora_targets",
            names=", ".join(missing)[:300],
            known=", ".join(sorted({layer.rpartition(".")[2] for layer in layers if layer}))[:300],
        )
    return ALL if ALL in names else names


def low_rank(shape: dict[str, int], rank: int) -> int:
    """Numbers in two thin matrices beside every linear layer: rank × (inputs + outputs) of each. Key and value
    projections are counted as if every head had its own, so this is an upper bound for grouped attention.

    shape: `hidden_size`, `intermediate_size`, `layers` of the model.
    """
    hidden, inner = shape.get("hidden_size", 0), shape.get("intermediate_size", 0)
    return rank * shape.get("layers", 0) * (4 * 2 * hidden + 3 * (hidden + inner))
