"""Supervised fine-tuning: the model learns to answer as the examples do."""

from dataclasses import asdict
from typing import Any

from workers import kinds
from workers.io import RunIO
from workers.kinds import Resources
from workers.lms.chat import ensure_template
from workers.lms.loading import load_model, load_tokenizer, set_up
from workers.lms.loss import answer_loss
from workers.lms.model_folder import read_facts, refuse_unsafe
from workers.lmt import data
from workers.lmt.base import TuningParams
from workers.words import marked as _


class Params(TuningParams):
    """All parameters of supervised fine-tuning are those that every method has."""


@kinds.register("lmt.sft", label=_("Fine-tune on instructions"), resources=Resources(cpus=2))
def run(params: Params, io: RunIO) -> dict[str, Any]:
    """Fine-tune a language model on questions and answers.

    The loss is taken on the answers only, in every turn of a conversation. Some rows are held out, and the loss on them
    is measured before and after. The result is a whole model; with LoRA the adapter is kept as well. A run that is
    stopped or killed goes on from its newest checkpoint and ends with the same weights.
    """
    io.listen_for_stop()
    set_up(io.spec.cpus)
    from workers.lmt.loop import results, session

    io.progress(0, 1, _("Loading the model"))
    folder = io.input("model")
    refuse_unsafe(folder)
    base = read_facts(folder)
    params = params.within(base.context_length)
    tokenizer = load_tokenizer(folder)
    if ensure_template(tokenizer):
        io.log(_("The model has no chat template; a plain one is used and kept with the result."), level="warning")
    prepared = data.prepare(params, io, tokenizer)
    model = load_model(folder, session.weights_dtype(params))
    if io.should_stop:
        return {}
    trained = session.train(params, io, model, tokenizer, prepared)
    if trained.step < trained.steps:
        return {}  # stopped: the checkpoint is written, a later attempt goes on
    io.progress(trained.steps, trained.steps, _("Saving"))
    results.keep(params, io, trained.model, tokenizer, base)
    numbers: dict[str, Any] = {"loss": trained.loss, "loss_before": trained.loss_before, "steps": trained.steps}
    del trained, model  # their memory is needed for the measuring
    numbers["loss_after"] = measure(io, prepared, numbers["steps"])
    io.artefact("model", "model_version", io.output("model"), **read_facts(io.output("model")).meta(), **numbers)
    return {**numbers, "rows": asdict(prepared.report)}


def measure(io: RunIO, prepared: data.Prepared, step: int) -> float | None:
    """Held-out loss of the result as anybody will load it from its files, rounding of the saved numbers included."""
    if not prepared.held_out:
        return None
    io.progress(step, step, _("Measuring after"))
    loss = answer_loss(load_model(io.output("model")), prepared.held_out)
    io.metric(step, {"eval_loss": loss})
    return loss
