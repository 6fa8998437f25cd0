"""How good is a model: benchmark questions, loss on held-out conversations, and answers to read."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError

from workers import archives, kinds
from workers.errors import InvalidInput
from workers.io import RunIO
from workers.kinds import Resources
from workers.lms.answering import greedy_answer
from workers.lms.benchmarks import benchmarks, read_folder
from workers.lms.chat import Encoded, encode, ensure_template, prompt_ids
from workers.lms.loading import load_model, load_tokenizer, set_up
from workers.lms.loss import answer_loss
from workers.lms.model_folder import refuse_unsafe
from workers.params import Params as BaseParams
from workers.params import artefact, param, upload
from workers.words import marked as _

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SUITES = {
    "": _("None"),
    "dataset": _("Questions of a dataset"),
    **{name: benchmark.label for name, benchmark in benchmarks.items()},
}
BATCH_ROWS = 500


class Params(BaseParams):
    model: str = artefact("model_version", label=_("Model"))
    suite: str = param(
        "",
        label=_("Benchmark"),
        help=_("Which questions to ask. The data of a published benchmark must be sent along."),
        simple=True,
        choices=SUITES,
    )
    benchmark: str | None = artefact(
        "dataset_version",
        label=_("Dataset of questions"),
        help=_("A dataset of multiple-choice questions."),
        required=False,
    )
    source: str | None = upload(
        label=_("Benchmark files"),
        help=_("The benchmark's own CSV files in their folders (dev, val, test), as .zip, .tar or .tar.gz."),
        required=False,
    )
    dataset: str | None = artefact(
        "dataset_version",
        label=_("Held-out conversations"),
        help=_("The loss on their answers is measured, in nats per token."),
        required=False,
    )
    prompts: list[str] = param(
        [],
        label=_("Sample questions"),
        help=_("The model's answers to these are kept, to be read."),
        group=_("Answers"),
        max_length=100,
    )
    answer_tokens: int = param(
        200,
        label=_("Longest answer"),
        unit=_("tokens"),
        group=_("Answers"),
        ge=1,
        le=4096,
    )
    subjects: list[str] = param(
        [], label=_("Subjects"), help=_("Only these. Empty: all that were sent."), group=_("Questions"), max_length=1000
    )
    shots: int = param(
        0,
        label=_("Examples before each question"),
        help=_(
            "Taken from the benchmark's dev part, or from the start of the dataset. 5 is usual for MMLU and C-Eval."
        ),
        group=_("Questions"),
        ge=0,
        le=25,
    )
    limit: int | None = param(
        None,
        label=_("Questions per subject"),
        help=_("Only the first so many. Empty: all."),
        group=_("Questions"),
        ge=1,
    )
    letters: bool = param(
        False,
        label=_("Answer by letter"),
        help=_("For datasets: list the choices and ask for a letter, instead of judging each choice by its own text."),
        group=_("Questions"),
    )
    chat: Literal["auto", "yes", "no"] = param(
        "auto",
        label=_("Ask in the chat format"),
        help=_("Automatic: datasets yes, published benchmarks no, as the harness does."),
        group=_("Questions"),
        choices={"auto": _("Automatic"), "yes": _("Yes"), "no": _("No")},
    )
    dataset_rows: int = param(
        500, label=_("Held-out rows at most"), unit=_("rows"), group=_("Held-out loss"), ge=1, le=1_000_000
    )

    @field_validator("suite")
    @classmethod
    def known_suite(cls, name: str) -> str:
        if name not in SUITES:
            raise PydanticCustomError("enum", "unknown benchmark", {"expected": ", ".join(filter(None, SUITES))})
        return name

    @model_validator(mode="after")
    def something_to_evaluate(self) -> "Params":
        if not (self.questions or self.dataset or self.prompts):
            raise ValueError(
                _("There is nothing to evaluate: choose a benchmark, held-out conversations or sample questions.")
            )
        return self

    @property
    def questions(self) -> str:
        """The suite that is meant: a dataset of questions needs no further word."""
        return self.suite or ("dataset" if self.benchmark else "")


@kinds.register("lms.evaluate", label=_("Evaluate a model"), resources=Resources(cpus=2))
def run(params: Params, io: RunIO) -> dict[str, Any]:
    """Evaluate a language model: accuracy on benchmark questions, loss on held-out conversations, answers to read.

    Questions are asked and scored by lm-evaluation-harness with its own templates, so the scores equal its own. Every
    single question with the model's choice is kept.
    """
    set_up(io.spec.cpus)
    check(params, io)
    tasks = question_tasks(params, io)
    io.progress(0, 1, _("Loading the model"))
    folder = io.input("model")
    refuse_unsafe(folder)
    tokenizer = load_tokenizer(folder)
    model = load_model(folder)
    out = io.output("evaluation")
    suite = io.spec.inputs["benchmark"].name or "dataset" if params.questions == "dataset" else params.questions
    values: dict[str, Any] = {"suite": suite, "scores": {}, "mean": None, "loss": None, "answers": []}
    if tasks:
        values["scores"] = ask(params, io, model, tokenizer, tasks, out / "answers.jsonl")
        values["mean"] = mean(values["scores"])
        io.metric(0, {"accuracy": values["mean"]})
    if params.dataset:
        values["loss"] = measure(params, io, model, tokenizer)
        io.metric(0, {"loss": values["loss"]})
    if params.prompts:
        values["answers"] = list(answer(params, io, model, tokenizer))
    (out / "evaluation.json").write_text(json.dumps(values, ensure_ascii=False, indent=1))
    io.artefact("evaluation", "evaluation", out, **values)
    return values


def check(params: Params, io: RunIO) -> None:
    """Raises InvalidInput when what is needed for a question is missing."""
    suite = params.questions
    if suite == "dataset" and not io.has_input("benchmark"):
        raise InvalidInput(_("Choose the dataset of questions."), code="benchmark_missing")
    if suite in benchmarks and not io.has_input("source"):
        raise InvalidInput(
            _("The files of %(benchmark)s are missing."),
            hint=_("They are not part of this system; send your copy of them."),
            code="benchmark_missing",
            benchmark=SUITES[suite],
        )


# --- questions


def question_tasks(params: Params, io: RunIO) -> list[dict[str, Any]]:
    """Configs of the harness, one for each subject, read before the model is loaded so that bad data fails early."""
    if not params.questions:
        return []
    from workers.lms.scoring import harness

    if params.questions == "dataset":
        found = read_choices(io)
        return [
            harness.choices_task(subject, docs, params.shots, params.letters)
            for subject, docs in chosen(params, found).items()
        ]
    benchmark = benchmarks.get(params.questions)
    sent = read_folder(benchmark, archives.opened(io.input("source"), io.scratch("benchmark")))
    return [harness.suite_task(benchmark, subject, splits) for subject, splits in chosen(params, sent).items()]


def chosen(params: Params, found: dict[str, Any]) -> dict[str, Any]:
    """The subjects that were asked for. Raises InvalidInput naming those that are not there."""
    missing = [subject for subject in params.subjects if subject not in found]
    if missing:
        raise InvalidInput(
            _("There are no questions on %(subjects)s; there are some on %(known)s."),
            code="subject_unknown",
            subjects=", ".join(missing)[:500],
            known=", ".join(sorted(found))[:1000],
        )
    return {subject: found[subject] for subject in params.subjects or sorted(found)}


def read_choices(io: RunIO) -> dict[str, list[dict[str, Any]]]:
    """Subject → questions of the input dataset."""
    subjects: dict[str, list[dict[str, Any]]] = {}
    for row in rows(io, "benchmark", ("question", "choices", "answer")):
        doc = {name: row[name] for name in ("question", "choices", "answer")}
        subjects.setdefault(row.get("subject") or "all", []).append(doc)
    return subjects


def ask(
    params: Params,
    io: RunIO,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    tasks: list[dict[str, Any]],
    path: Path,
) -> dict[str, dict[str, Any]]:
    from workers.lms.scoring import harness

    wanted = params.questions == "dataset" if params.chat == "auto" else params.chat == "yes"
    scores, records = harness.ask(
        model,
        tokenizer,
        tasks,
        shots=params.shots,
        limit=params.limit,
        chat=wanted and bool(tokenizer.chat_template),
        on_progress=lambda done, total: io.progress(done, total, _("Asking questions"), unit=_("choices")),
    )
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return scores


def mean(scores: dict[str, dict[str, Any]]) -> float:
    """Accuracy over all questions, every question counted alike, as the harness's groups do."""
    return sum(score["acc"] * score["n"] for score in scores.values()) / sum(score["n"] for score in scores.values())


# --- held-out loss and answers


def measure(params: Params, io: RunIO, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> float:
    """Loss on the answers of the input dataset, in nats per token."""
    ensure_template(tokenizer)
    limit = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 20)
    encoded: list[Encoded] = []
    for row in rows(io, "dataset", ("messages",)):
        if len(encoded) >= params.dataset_rows:
            break
        try:
            entry = encode(tokenizer, row["messages"])
        except ValueError:
            continue  # a conversation without an answer has nothing to measure
        if entry.answer_tokens and len(entry.ids) <= limit:
            encoded.append(entry)
    if not encoded:
        raise InvalidInput(_("No row of the dataset has an answer to measure."), code="no_rows_to_measure")
    total = len(encoded)
    loss = answer_loss(
        model, encoded, on_batch=lambda done: io.progress(done, total, _("Measuring the loss"), unit=_("rows"))
    )
    if not math.isfinite(loss):
        raise InvalidInput(_("The model's loss is not a number: its weights are broken."), code="loss_not_finite")
    return loss


def answer(
    params: Params, io: RunIO, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> Iterator[dict[str, str]]:
    """{"prompt", "answer"} of every sample question, each answer the model's most likely words."""
    ensure_template(tokenizer)
    for number, prompt in enumerate(params.prompts, start=1):
        asked = prompt_ids(tokenizer, [{"role": "user", "content": prompt}])
        text = greedy_answer(model, tokenizer, asked, params.answer_tokens)
        io.progress(number, len(params.prompts), _("Answering"), unit=_("answers"))
        yield {"prompt": prompt, "answer": text}


def rows(io: RunIO, name: str, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Rows of an input dataset. Raises InvalidInput when it lacks a column that is needed."""
    import pyarrow.parquet as pq

    path = io.input(name) / "data.parquet"
    present = pq.ParquetFile(path).schema_arrow.names if path.is_file() else []
    missing = [column for column in columns if column not in present]
    if missing:
        raise InvalidInput(
            _("%(dataset)s cannot be used here: the column %(column)s is missing."),
            code="dataset_without_columns",
            dataset=io.spec.inputs[name].name or name,
            column=missing[0],
        )
    wanted = [*columns, *(["subject"] if "subject" in present else [])]
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=wanted):
        yield from batch.to_pylist()
