"""What happens around the steps of a training run: events, checkpoints, held-out loss, and the clean stop."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from workers.errors import InvalidInput
from workers.io import RunIO
from workers.lmt.loop import checkpoints
from workers.words import marked as _

SERIES = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm", "epoch": "epoch"}
"""Names in the trainer's log → names of the charts."""
PROGRESS_EVERY_S = 0.2


class RunCallback(TrainerCallback):  # type: ignore[misc]
    """Speaks for one training run.

    measure: held-out loss of the model as it is, or None. sample: lets the model answer its questions, told the step.
    state: what a resumed run must know, kept in each checkpoint.
    """

    def __init__(
        self,
        io: RunIO,
        measure: Callable[[], float] | None,
        sample: Callable[[int], None],
        eval_steps: int | None,
        state: dict[str, Any],
    ) -> None:
        self.io, self.measure, self.sample, self.eval_steps, self.state = io, measure, sample, eval_steps, state
        self.last_loss = math.nan
        self._busy_s = 0.0
        self._began = 0.0
        self._told = 0.0
        self._tokens = 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        self._began = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        now = time.monotonic()
        self._busy_s += now - self._began
        if now - self._told >= PROGRESS_EVERY_S or state.global_step >= state.max_steps:
            self._told = now
            self.io.progress(state.global_step, state.max_steps, _("Training"), unit=_("steps"))
        if self.io.should_stop:
            control.should_save = True
            control.should_training_stop = True
        elif self.eval_steps and state.global_step % self.eval_steps == 0:
            self._look(state.global_step)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if state.global_step >= state.max_steps:
            self.sample(state.global_step)

    def _look(self, step: int) -> None:
        """How far it has come: the loss on what it does not learn, and what it answers."""
        if self.measure:
            loss = self.measure()
            if not math.isfinite(loss):
                raise diverged(step)
            self.io.metric(step, {"eval_loss": loss})
        self.sample(step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        logs = logs or {}
        values = {name: float(logs[key]) for key, name in SERIES.items() if key in logs}
        if "loss" not in values:
            return  # the summary at the end
        self.last_loss = values["loss"]
        if not math.isfinite(self.last_loss):
            raise diverged(state.global_step)
        tokens = float(logs.get("num_tokens", 0))
        if tokens > self._tokens and self._busy_s > 0:
            values["tokens_per_s"] = (tokens - self._tokens) / self._busy_s
        self._tokens, self._busy_s = tokens, 0.0
        self.io.metric(state.global_step, {name: value for name, value in values.items() if math.isfinite(value)})

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        written = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        values = {"loss": self.last_loss} if math.isfinite(self.last_loss) else {}
        checkpoints.publish(self.io, written, state.global_step, self.state, values)


def diverged(step: int) -> InvalidInput:
    return InvalidInput(
        _("The loss is no longer a number at step %(step)d: the training has diverged."),
        hint=_("Use a lower learning rate, or more warm-up."),
        code="loss_not_finite",
        step=step,
    )
