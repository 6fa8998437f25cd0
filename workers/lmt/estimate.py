"""How long a tuning run will take and how much memory it will need, told before it starts. No torch in here.

Memory = weights + gradients + optimiser + activations + logits + a floor for the libraries:

    weights       parameters × bytes of the number format (a frozen base may be smaller than float32)
    gradients     trained numbers × 4
    optimiser     trained numbers × 8 for AdamW (two moments), 4 for SGD with none and Adafactor with few: 0
    activations   tokens of a batch × layers × (10 × hidden + 5 × inner) × 4; with checkpointing one layer, plus
                  hidden per layer
    logits        tokens of a batch × vocabulary × 4, four times: themselves, shifted, their softmax, their gradient
    floor         what Python, torch and the trainer take before any model

Time = start + 2 × held-out pass + steps × work of a step ÷ speed + samples. A token costs 2 operations per parameter
forward, as many backward through frozen weights and twice as many through trained ones. A sample writes its tokens one
after the other, and each reads all weights.
"""

from dataclasses import dataclass
from typing import Any

from workers.estimates import BYTES, DISK_BYTES_PER_S, FLOOR_MIB, MIB, Figure, Machine, tokens_of_row
from workers.estimates import Estimate as Base
from workers.lmt.base import TuningParams
from workers.lmt.methods import methods
from workers.words import marked as _

START_S = 20
"""Importing the libraries, loading and saving a small model."""
LOGITS_COPIES = 4
OPTIMIZER_BYTES = {"adamw_torch": 8, "adamw_torch_fused": 8}


@dataclass(frozen=True, kw_only=True)
class Estimate(Base):
    steps: int
    rows: int
    tokens: int
    trained_parameters: int
    learning_rate: float

    @property
    def figures(self) -> list[Figure]:
        return [
            Figure(_("Steps"), self.steps),
            Figure(_("Rows"), self.rows),
            Figure(_("Tokens"), self.tokens, "compact"),
            Figure(_("Trained parameters"), self.trained_parameters, "compact"),
            Figure(_("Learning rate"), self.learning_rate, "number"),
        ]


def estimate(
    params: TuningParams, *, model: dict[str, Any], dataset: dict[str, Any], cpus: int, accelerators: int = 0
) -> Estimate:
    """model: meta of a model version (parameters, shape); dataset: rows and report of a dataset version."""
    machine = Machine(cpus, accelerators)
    method = methods.get(params.method)
    shape, parameters = model.get("shape") or {}, int(model.get("parameters") or 0)
    trained = min(parameters, method.trained(shape, parameters, params.lora_rank)) if parameters else 0
    rows = int(dataset.get("rows") or 0)
    held_out = 0 if params.eval_dataset else min(params.eval_rows, round(rows * params.eval_fraction))
    steps = params.steps(max(1, rows - held_out))
    row_tokens = min(params.max_length, tokens_of_row(dataset))
    step_rows = params.batch_size * params.gradient_accumulation
    along = steps // params.eval_steps if params.eval_steps else 0
    again = 4 / 3 if params.activation_checkpointing else 1
    work = (6 if method.whole else 4) * parameters * row_tokens * step_rows * again
    measuring = 2 * parameters * row_tokens * (2 * max(1, held_out) + along * params.eval_rows)
    samples = machine.writing_s(parameters, (2 + along) * params.samples * params.sample_tokens)
    computing = (steps * work + measuring) / machine.ops_per_s
    return Estimate(
        seconds=round(START_S + 12 * parameters / DISK_BYTES_PER_S + computing + samples),
        memory_mib=_memory_mib(params, shape, parameters, trained, row_tokens, machine),
        steps=steps,
        rows=rows,
        tokens=round(steps * step_rows * row_tokens),
        trained_parameters=trained,
        learning_rate=params.rate(),
    )


def _memory_mib(
    params: TuningParams, shape: dict[str, int], parameters: int, trained: int, row_tokens: float, machine: Machine
) -> int:
    hidden, inner, layers = shape.get("hidden_size", 0), shape.get("intermediate_size", 0), shape.get("layers", 0)
    dtype = machine.dtype if params.dtype == "auto" else params.dtype
    weights = parameters * (4 if methods.get(params.method).whole else BYTES[dtype])
    moments = trained * (4 + OPTIMIZER_BYTES.get(params.optimizer, 0))
    # The longest rows decide, and batches are padded to them: twice the mean is what is usual.
    tokens = params.batch_size * min(params.max_length, 2 * row_tokens)
    layer = 10 * hidden + 5 * inner
    activations = tokens * 4 * (layers * hidden + layer if params.activation_checkpointing else layers * layer)
    logits = tokens * shape.get("vocab_size", 0) * 4 * LOGITS_COPIES
    return FLOOR_MIB + round((weights + moments + activations + logits) / MIB)
