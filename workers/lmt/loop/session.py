"""One training run from loaded model to merged result, the same for every tuning method on conversations."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from workers.errors import InvalidInput
from workers.io import RunIO
from workers.lms.loading import compute_dtype, device
from workers.lms.loss import answer_loss
from workers.lmt.base import TuningParams
from workers.lmt.data import Prepared
from workers.lmt.loop import checkpoints
from workers.lmt.loop.callback import RunCallback, diverged
from workers.lmt.loop.samples import Sampler
from workers.lmt.methods import methods
from workers.words import marked as _


@dataclass(frozen=True)
class Trained:
    """model: with its adapter when one was trained; step: where the run stands, below `steps` when it was stopped."""

    model: Any
    step: int
    steps: int
    loss: float | None
    loss_before: float | None


def train(
    params: TuningParams, io: RunIO, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, data: Prepared
) -> Trained:
    """Train from the start, or from `io.resume_from` with the same numbers as if nothing had happened."""
    seed = io.spec.seed if params.seed is None else params.seed
    set_seed(seed)
    steps = params.steps(data.report.train_rows)
    before = _loss_before(io, model, data)
    sampler = Sampler(params, io, tokenizer, data.questions)
    if data.questions and not io.resume_from:
        io.progress(0, 1, _("Answering the sample questions"))
        sampler.ask(model, 0)
    callback = RunCallback(
        io,
        measure=(lambda: answer_loss(trainer.model, data.held_out)) if data.held_out else None,
        sample=lambda step: sampler.ask(trainer.model, step),
        eval_steps=params.eval_steps,
        state={"loss_before": before},
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments(params, steps, seed, io.scratch("trainer")),
        train_dataset=Dataset.from_file(str(data.train)),
        processing_class=tokenizer,
        peft_config=methods.get(params.method).adapter(params, [name for name, _module in model.named_modules()]),
        callbacks=[callback],
    )
    trainer.remove_callback(PrinterCallback)  # the events say it already
    trainer.train(resume_from_checkpoint=str(io.resume_from) if io.resume_from else None)
    loss = callback.last_loss if math.isfinite(callback.last_loss) else None
    return Trained(trainer.model, trainer.state.global_step, steps, loss, before)


def _loss_before(io: RunIO, model: PreTrainedModel, data: Prepared) -> float | None:
    """Held-out loss of the model as it came; a resumed run remembers it."""
    if io.resume_from:
        remembered: float | None = checkpoints.read_state(io.resume_from)["loss_before"]
        return remembered
    if not data.held_out:
        return None
    io.progress(0, 1, _("Measuring before"))
    loss = answer_loss(model, data.held_out)
    if not math.isfinite(loss):
        raise diverged(0)
    io.metric(0, {"eval_loss": loss})
    return loss


def arguments(params: TuningParams, steps: int, seed: int, folder: Path) -> SFTConfig:
    """The trainer's own arguments. Rows are tokenised and measured already, so it neither cuts nor masks them."""
    cpu = device().type == "cpu"
    if params.dtype == "float16" and cpu:
        raise InvalidInput(
            _("float16 cannot be trained on a processor."),
            hint=_("Choose float32 or automatic."),
            code="dtype_not_trainable",
        )
    dtype = compute_dtype(params.dtype)
    return SFTConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=params.batch_size,
        gradient_accumulation_steps=params.gradient_accumulation,
        learning_rate=params.rate(),
        lr_scheduler_type=params.scheduler,
        warmup_steps=int(params.warmup * steps),
        optim=params.optimizer,
        weight_decay=params.weight_decay,
        adam_beta1=params.adam_beta1,
        adam_beta2=params.adam_beta2,
        max_grad_norm=params.max_grad_norm,
        label_smoothing_factor=params.label_smoothing,
        neftune_noise_alpha=params.neftune_noise,
        max_length=params.max_length if params.packing else None,
        packing=params.packing,
        train_sampling_strategy="group_by_length" if params.group_by_length else "random",
        activation_checkpointing=params.activation_checkpointing,
        torch_compile=params.compile,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=cpu,
        seed=seed,
        data_seed=seed,
        save_strategy="steps",
        save_steps=params.saves_every(steps),
        logging_strategy="steps",
        logging_steps=params.logging_steps,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


def weights_dtype(params: TuningParams) -> str:
    """Number format to load the weights in: those that are trained stay in float32, a frozen base may be smaller."""
    return "float32" if methods.get(params.method).whole else params.dtype
