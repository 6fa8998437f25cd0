"""What all tuning methods share: the parameters a person sets, and what they mean in steps and rates."""

import math
from typing import Literal, Self

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from workers.lmt.methods import methods
from workers.params import Params, artefact, param
from workers.words import marked as _

MODEL_NAME = r"^[^\s:/\\][^:/\\]*$"
"""A model is found as `name` or `name:version`."""

EFFORTS: dict[str, tuple[int, int]] = {"quick": (1, 10), "balanced": (3, 30), "thorough": (6, 60)}
"""Effort → (times every example is seen, fewest steps): very small data needs more rounds to be learned at all."""


class TuningParams(Params):
    """Parameters of every tuning job."""

    model: str = artefact("model_version", label=_("Base model"), help=_("The model to start from."))
    dataset: str = artefact(
        "dataset_version", label=_("Training data"), help=_("Questions and answers the model shall learn from.")
    )
    name: str = param(
        label=_("Name of the new model"),
        help=_("An existing name gets a new version."),
        simple=True,
        max_length=120,
        pattern=MODEL_NAME,
    )
    effort: Literal["quick", "balanced", "thorough"] = param(
        "balanced",
        label=_("Effort"),
        help=_("How often every example is seen: quick once, balanced three times, thorough six times."),
        simple=True,
        choices={"quick": _("Quick"), "balanced": _("Balanced"), "thorough": _("Thorough")},
    )

    method: str = param(
        "lora",
        label=_("Method"),
        help=_("Full tuning changes every weight; all others train a small addition and need little memory."),
        group=_("Method"),
        choices={name: method.label for name, method in methods.items()},
    )
    lora_rank: int = param(
        16, label=_("LoRA rank"), help=_("Higher learns more and needs more memory."), group=_("Method"), ge=1, le=1024
    )
    lora_alpha: float = param(
        32, label=_("LoRA alpha"), help=_("Strength of the addition: alpha / rank."), group=_("Method"), gt=0, le=4096
    )
    lora_dropout: float = param(
        0.0, label=_("LoRA dropout"), help=_("Share of inputs left out at random."), group=_("Method"), ge=0, lt=1
    )
    lora_targets: str = param(
        "all-linear",
        label=_("LoRA layers"),
        help=_("`all-linear`, or names of layers separated by commas, such as q_proj,v_proj."),
        group=_("Method"),
        min_length=1,
        max_length=500,
    )

    learning_rate: float | None = param(
        None,
        label=_("Learning rate"),
        help=_("Empty: the usual one of the method; the estimate shows it."),
        group=_("Learning"),
        gt=0,
        le=1,
    )
    epochs: float | None = param(
        None,
        label=_("Epochs"),
        help=_("Times every example is seen. Empty: as the effort says."),
        unit=_("times"),
        group=_("Learning"),
        gt=0,
        le=1000,
    )
    max_steps: int | None = param(
        None,
        label=_("Steps"),
        help=_("Ends after so many steps, whatever the epochs say. Empty: no such limit."),
        unit=_("steps"),
        group=_("Learning"),
        ge=1,
        le=10_000_000,
    )
    batch_size: int = param(
        4,
        label=_("Batch size"),
        help=_("Examples read at once; more needs more memory."),
        unit=_("rows"),
        group=_("Learning"),
        ge=1,
        le=4096,
    )
    gradient_accumulation: int = param(
        1,
        label=_("Gradient accumulation"),
        help=_("Batches added up before the weights change; a larger batch without its memory."),
        unit=_("batches"),
        group=_("Learning"),
        ge=1,
        le=4096,
    )
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup", "inverse_sqrt", "polynomial"] = param(
        "linear",
        label=_("Learning rate schedule"),
        help=_("How the rate falls from its highest value to the end."),
        group=_("Learning"),
    )
    warmup: float = param(
        0.03,
        label=_("Warm-up"),
        help=_("Share of the steps in which the rate rises to its full value."),
        group=_("Learning"),
        ge=0,
        lt=1,
    )
    optimizer: Literal["adamw_torch", "adamw_torch_fused", "adafactor", "sgd"] = param(
        "adamw_torch",
        label=_("Optimiser"),
        help=_("AdamW is the safe choice; Adafactor needs less memory in full tuning."),
        group=_("Learning"),
    )
    weight_decay: float = param(
        0.0, label=_("Weight decay"), help=_("Pull of the weights towards zero."), group=_("Learning"), ge=0, le=1
    )
    adam_beta1: float = param(
        0.9, label=_("Adam beta 1"), help=_("Memory of the gradient's mean."), group=_("Learning"), ge=0, lt=1
    )
    adam_beta2: float = param(
        0.999, label=_("Adam beta 2"), help=_("Memory of the gradient's square."), group=_("Learning"), ge=0, lt=1
    )
    max_grad_norm: float = param(
        1.0,
        label=_("Largest gradient norm"),
        help=_("Longer gradients are shortened to this. 0 leaves them as they are."),
        group=_("Learning"),
        ge=0,
        le=1000,
    )
    label_smoothing: float = param(
        0.0,
        label=_("Label smoothing"),
        help=_("Share of the target spread over all tokens. Slower: every batch is read twice."),
        group=_("Learning"),
        ge=0,
        lt=1,
    )
    neftune_noise: float | None = param(
        None,
        label=_("NEFTune noise"),
        help=_("Noise on the embeddings while training; 5 is usual. Empty: none."),
        group=_("Learning"),
        gt=0,
        le=100,
    )

    max_length: int = param(
        1024,
        label=_("Longest row"),
        help=_("Rows with more tokens are handled as the next choice says."),
        unit=_("tokens"),
        group=_("Data"),
        ge=16,
        le=1_048_576,
    )
    too_long: Literal["drop", "truncate"] = param(
        "drop",
        label=_("Rows that are too long"),
        help=_("Left out, or cut at the end. Either way they are counted."),
        group=_("Data"),
        choices={"drop": _("Leave out"), "truncate": _("Cut at the end")},
    )
    packing: bool = param(
        False,
        label=_("Packing"),
        help=_("Put several rows into one sequence. Saves time on accelerators with flash attention."),
        group=_("Data"),
    )
    group_by_length: bool = param(
        False,
        label=_("Group by length"),
        help=_("Rows of similar length share a batch: less padding, less randomness."),
        group=_("Data"),
    )
    eval_fraction: float = param(
        0.1,
        label=_("Held-out share"),
        help=_(
            "Share of the rows that is not learned but used to measure the loss. Chosen by content, so always alike."
        ),
        group=_("Data"),
        ge=0,
        le=0.5,
    )
    eval_dataset: str | None = artefact(
        "dataset_version",
        label=_("Held-out data"),
        help=_("Measure the loss on this data instead of a share of the training data."),
        required=False,
        simple=False,
        group=_("Data"),
    )
    eval_rows: int = param(
        200,
        label=_("Held-out rows at most"),
        help=_("Bounds the time that measuring takes."),
        unit=_("rows"),
        group=_("Data"),
        ge=1,
        le=100_000,
    )

    save_steps: int | None = param(
        None,
        label=_("Checkpoint every"),
        help=_("A stopped run goes on from its newest checkpoint. Empty: ten times in a run."),
        unit=_("steps"),
        group=_("Checkpoints and measuring"),
        ge=1,
    )
    eval_steps: int | None = param(
        None,
        label=_("Measure every"),
        help=_("Held-out loss along the way. Empty: only before and after."),
        unit=_("steps"),
        group=_("Checkpoints and measuring"),
        ge=1,
    )
    logging_steps: int = param(
        1,
        label=_("Report every"),
        help=_("Points of the charts."),
        unit=_("steps"),
        group=_("Checkpoints and measuring"),
        ge=1,
    )
    samples: int = param(
        2,
        label=_("Sample questions"),
        help=_(
            "The model answers them before, at each measuring and at the end, so that one can read what it learned."
        ),
        group=_("Checkpoints and measuring"),
        ge=0,
        le=8,
    )
    sample_tokens: int = param(
        48,
        label=_("Longest sample answer"),
        unit=_("tokens"),
        help=_("Each of them takes as long as reading all weights once."),
        group=_("Checkpoints and measuring"),
        ge=1,
        le=1024,
    )

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = param(
        "auto",
        label=_("Number format while training"),
        help=_("Automatic: float32 on processors, bfloat16 on accelerators."),
        group=_("Speed and memory"),
    )
    save_dtype: Literal["auto", "float32", "bfloat16", "float16"] = param(
        "auto",
        label=_("Number format of the result"),
        help=_("Automatic: as the base model."),
        group=_("Speed and memory"),
    )
    activation_checkpointing: bool = param(
        False,
        label=_("Activation checkpointing"),
        help=_("Needs far less memory and about a third more time."),
        group=_("Speed and memory"),
    )
    compile: bool = param(
        False,
        label=_("Compile the graph"),
        help=_("Faster steps after a slow start. For long runs on accelerators."),
        group=_("Speed and memory"),
    )
    seed: int | None = param(
        None,
        label=_("Seed"),
        help=_("The same seed gives the same run. Empty: the job's own."),
        group=_("Reproduction"),
        ge=0,
        le=2**31 - 1,
    )

    @field_validator("method")
    @classmethod
    def known_method(cls, name: str) -> str:
        if name not in methods:
            raise PydanticCustomError("enum", "unknown method", {"expected": ", ".join(methods.names())})
        return name

    def within(self, context_length: int | None) -> Self:
        """The same parameters with no row longer than the model can read."""
        return self.model_copy(update={"max_length": min(self.max_length, context_length or self.max_length)})

    def rate(self) -> float:
        return methods.get(self.method).learning_rate if self.learning_rate is None else self.learning_rate

    def steps(self, rows: int) -> int:
        """Steps of a run over so many training rows."""
        per_epoch = math.ceil(rows / (self.batch_size * self.gradient_accumulation))
        times, fewest = EFFORTS[self.effort]
        steps = max(times * per_epoch, fewest) if self.epochs is None else math.ceil(self.epochs * per_epoch)
        return min(steps, self.max_steps) if self.max_steps else max(1, steps)

    def saves_every(self, steps: int) -> int:
        return self.save_steps or max(5, math.ceil(steps / 10))
