"""How long a tuning run will take and how much memory it will need, told before it starts. No torch in here.

Memory = weights + gradients + optimiser + activations + logits + a floor for the libraries:

    weights       parameters × bytes of the number format (a frozen base may be smaller than float32)
    gradients     trained numbers × 4
    optimiser     trained numbers × 8 for AdamW (two moments), 4 for SGD with none and Adafactor with few: 0
    activations   tokens of a batch × layers × (10 × hidden + 5 × inner) × 4; with checkpointing one layer, plus
                  hidden per layer
    logits        tokens of a batch × vocabulary × 4, four times: themselves, shifted, their softmax, their gradient
    floor         what Python, torch and the trainer take before any model

Time = start + 2 × held-out pass + steps × work of a step ÷ speed. A token costs 2 operations per parameter forward, as
many backward through frozen weights and twice as many through trained ones. The speeds are what was measured with a
135 M model (docs/reference/performance.md); a larger model uses the machine better, so the figure is cautious.
"""

from dataclasses import asdict, dataclass
from typing import Any

from workers.lmt.base import TuningParams
from workers.lmt.methods import methods

MIB = 1 << 20
FLOOR_MIB = 700
START_S = 20
"""Importing the libraries, loading and saving a small model."""
CORE_OPS_PER_S = 65e9
"""One processor core in float32."""
ACCELERATOR_OPS_PER_S = 6e13
DISK_BYTES_PER_S = 3e8
CHARACTERS_PER_TOKEN = {"western": 4.0, "chinese": 0.7}
"""Small vocabularies need about 1.5 tokens for a Chinese character."""
TEMPLATE_TOKENS = 12
"""What a chat template adds to every message."""
LOGITS_COPIES = 4
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
OPTIMIZER_BYTES = {"adamw_torch": 8, "adamw_torch_fused": 8}


@dataclass(frozen=True)
class Estimate:
    steps: int
    rows: int
    tokens: int
    trained_parameters: int
    memory_mib: int
    seconds: int
    learning_rate: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(
    params: TuningParams, *, model: dict[str, Any], dataset: dict[str, Any], cpus: int, accelerators: int = 0
) -> Estimate:
    """model: meta of a model version (parameters, shape); dataset: rows and report of a dataset version."""
    method = methods.get(params.method)
    shape, parameters = model.get("shape") or {}, int(model.get("parameters") or 0)
    trained = min(parameters, method.trained(shape, parameters, params.lora_rank)) if parameters else 0
    whole = method.whole
    rows = int(dataset.get("rows") or 0)
    held_out = 0 if params.eval_dataset else min(params.eval_rows, round(rows * params.eval_fraction))
    steps = params.steps(max(1, rows - held_out))
    row_tokens = min(params.max_length, tokens_of_row(dataset))
    step_rows = params.batch_size * params.gradient_accumulation
    accelerated = accelerators > 0
    ops = accelerators * ACCELERATOR_OPS_PER_S if accelerated else max(1, cpus) * CORE_OPS_PER_S
    work = (6 if whole else 4) * parameters * row_tokens * step_rows * (4 / 3 if params.activation_checkpointing else 1)
    measuring = 2 * 2 * parameters * row_tokens * max(1, held_out) + _measuring_along(
        params, steps, parameters, row_tokens
    )
    seconds = START_S + 12 * parameters / DISK_BYTES_PER_S + (steps * work + measuring) / ops
    return Estimate(
        steps=steps,
        rows=rows,
        tokens=round(steps * step_rows * row_tokens),
        trained_parameters=trained,
        memory_mib=_memory_mib(params, shape, parameters, trained, row_tokens, accelerated),
        seconds=round(seconds),
        learning_rate=params.rate(),
    )


def tokens_of_row(dataset: dict[str, Any]) -> float:
    """Mean tokens of a row, from the characters that its import counted; 200 when nobody counted."""
    figures = (dataset.get("report") or {}).get("statistics") or {}
    rows, characters = int(dataset.get("rows") or 0), figures.get("characters_mean")
    if not rows or not characters:
        return 200.0
    chinese = min(1.0, figures.get("chinese_rows", 0) / rows)
    per_token = chinese * CHARACTERS_PER_TOKEN["chinese"] + (1 - chinese) * CHARACTERS_PER_TOKEN["western"]
    return float(characters) / per_token + TEMPLATE_TOKENS * float(figures.get("messages_mean") or 2)


def _measuring_along(params: TuningParams, steps: int, parameters: int, row_tokens: float) -> float:
    if not params.eval_steps:
        return 0.0
    return 2 * parameters * row_tokens * params.eval_rows * (steps // params.eval_steps)


def _memory_mib(
    params: TuningParams, shape: dict[str, int], parameters: int, trained: int, row_tokens: float, accelerated: bool
) -> int:
    hidden, inner, layers = shape.get("hidden_size", 0), shape.get("intermediate_size", 0), shape.get("layers", 0)
    dtype = ("bfloat16" if accelerated else "float32") if params.dtype == "auto" else params.dtype
    weights = parameters * (4 if methods.get(params.method).whole else BYTES[dtype])
    moments = trained * (4 + OPTIMIZER_BYTES.get(params.optimizer, 0))
    # The longest rows decide, and batches are padded to them: twice the mean is what is usual.
    tokens = params.batch_size * min(params.max_length, 2 * row_tokens)
    layer = 10 * hidden + 5 * inner
    activations = tokens * 4 * (layers * hidden + layer if params.activation_checkpointing else layers * layer)
    logits = tokens * shape.get("vocab_size", 0) * 4 * LOGITS_COPIES
    return FLOOR_MIB + round((weights + moments + activations + logits) / MIB)
