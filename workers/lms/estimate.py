"""What work on a model will take, told before it starts: an evaluation, an instance that serves, an import, and a
checkpoint that becomes a model. No torch in here.

Evaluation:

    time      start + reading the weights + tokens read × 2 × parameters ÷ speed + tokens written × bytes of the weights
              ÷ speed of the memory. A question is read once for all its choices. How many questions a published
              benchmark has is known only once its files are read: with one, there is no figure for the time.
    memory    floor + parameters × bytes of the number format + a batch that is read: its activations in one layer, and
              the logits of its answers three times (themselves, in float32, their softmax)

Serving, in memory: floor + parameters × what the engine keeps of each + the key/value cache, which is as large as was
asked for, but no larger than what can be filled (engines/base.py).

Import:

    time      start + bytes ÷ speed of unpacking and checking, which the ending of the file's name tells; a GGUF file is
              written out in another number format
    memory    floor; of a GGUF file, itself and all that is written out besides

Publishing: the model is loaded in float32 and written in its own number format.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.estimates import (
    BATCH_TOKENS,
    BYTES,
    DISK_BYTES_PER_S,
    FLOOR_MIB,
    MIB,
    Estimate,
    Figure,
    FromFile,
    Machine,
    tokens_of_row,
)
from workers.lms.engines.base import Settings, runtimes
from workers.lms.evaluate import Params as EvaluateParams
from workers.lms.importing import Params as ImportParams
from workers.lms.serve import Params as ServeParams
from workers.words import marked as _

START_S = 12
"""Importing the libraries and the harness."""
ANSWER_SHARE = 0.5
"""Of what is read; only answers pass through the output layer."""
LOGITS_COPIES = 3
BLOCK_TOKENS = 32
IMPORT_START_S = 6
PUBLISH_START_S = 8
MERGE_START_S = 3
"""One more library."""
STORE_FLOOR_MIB = 400
"""No evaluation, no trainer: less than FLOOR_MIB."""
UNPACKED_BYTES_PER_S = {".zip": 8e7, ".gz": 5e7, ".tgz": 5e7}
GGUF = ".gguf"
GGUF_BYTES_PER_S = 1e8
"""Of what is written out."""
GGUF_NUMBERS_PER_BYTE = 1
"""In eight bits each; a file in four holds twice as many, one in sixteen half."""


@dataclass(frozen=True, kw_only=True)
class Evaluation(Estimate):
    questions: int = 0
    rows: int = 0
    answers: int = 0

    @property
    def figures(self) -> list[Figure]:
        counted = [
            Figure(_("Questions"), self.questions), Figure(_("Held-out rows"), self.rows),
            Figure(_("Sample questions"), self.answers),
        ]  # fmt: skip
        return [figure for figure in counted if figure.value]

    @property
    def note(self) -> str:
        if self.seconds is None:
            return _("How long it takes is known once the benchmark's files are read and its questions are counted.")
        return super().note


@dataclass(frozen=True, kw_only=True)
class Serving(Estimate):
    weights_bytes: int
    cache_bytes: int
    cache_tokens: int
    context_length: int

    @property
    def figures(self) -> list[Figure]:
        found = [
            Figure(_("Weights"), self.weights_bytes, "size"), Figure(_("Key/value cache"), self.cache_bytes, "size"),
            Figure(_("Tokens in the cache"), self.cache_tokens, "compact"),
            Figure(_("Context length"), self.context_length),
        ]  # fmt: skip
        return [figure for figure in found if figure.value]

    @property
    def note(self) -> str:
        return _("Of each instance, once its cache is full.")


class Import(FromFile):
    @property
    def note(self) -> str:
        return _("Reckoned from the size of the file and what its name says it is.")


@dataclass(frozen=True, kw_only=True)
class Publishing(Estimate):
    parameters: int

    @property
    def figures(self) -> list[Figure]:
        return [Figure(_("Parameters"), self.parameters, "compact")]

    @property
    def note(self) -> str:
        return _("Reckoned from the size of the base model; other work on the machine makes it slower.")


def of_evaluation(
    params: EvaluateParams,
    *,
    model: dict[str, Any],
    benchmark: dict[str, Any] | None,
    dataset: dict[str, Any] | None,
    cpus: int,
    accelerators: int = 0,
) -> Evaluation:
    """model: meta of a model version; benchmark, dataset: rows and report of a dataset version."""
    machine = Machine(cpus, accelerators)
    shape, parameters = model.get("shape") or {}, int(model.get("parameters") or 0)
    questions = int((benchmark or {}).get("rows") or 0)
    rows = min(params.dataset_rows, int((dataset or {}).get("rows") or 0))
    read = questions * tokens_of_row(benchmark or {}) * (1 + params.shots) + rows * tokens_of_row(dataset or {})
    computing = read * 2 * parameters / machine.ops_per_s
    writing = machine.writing_s(parameters, len(params.prompts) * params.answer_tokens)
    unknown = params.questions not in ("", "dataset")
    seconds = START_S + parameters * BYTES[machine.dtype] / DISK_BYTES_PER_S + computing + writing
    weights = parameters * BYTES[machine.dtype]
    layer = 4 * shape.get("hidden_size", 0) + 3 * shape.get("intermediate_size", 0)
    batch = min(BATCH_TOKENS, read) if read else BATCH_TOKENS * unknown
    reading = batch * 4 * (layer + ANSWER_SHARE * shape.get("vocab_size", 0) * LOGITS_COPIES)
    return Evaluation(
        seconds=None if unknown else round(seconds),
        memory_mib=FLOOR_MIB + round((weights + reading) / MIB),
        questions=questions,
        rows=rows,
        answers=len(params.prompts),
    )


def of_serving(params: ServeParams, *, model: dict[str, Any]) -> Serving:
    """model: meta of a model version. The engine that keeps most decides where the choice is left open."""
    parameters, trained = int(model.get("parameters") or 0), int(model.get("context_length") or 2048)
    names = runtimes.names() if params.runtime == "auto" else [params.runtime]
    weights = round(parameters * max(runtimes.get(name).weight_bytes[params.precision] for name in names))
    context = min(params.context_length or trained, trained)
    token = _token_bytes(model.get("shape") or {}, 4 if params.precision == "f32" else 2)
    wanted = Settings(Path(), Path(), context, cache_gib=params.cache_gib, max_running=params.max_running)
    tokens = wanted.cache_blocks(BLOCK_TOKENS, token * BLOCK_TOKENS) * BLOCK_TOKENS if token else 0
    cache = tokens * token if token else round(params.cache_gib * 2**30)
    return Serving(
        memory_mib=FLOOR_MIB + round((weights + cache) / MIB),
        weights_bytes=weights,
        cache_bytes=cache,
        cache_tokens=tokens,
        context_length=context,
    )


def of_import(params: ImportParams, filename: str, size_bytes: int) -> Import:
    suffix = Path(filename.lower()).suffix
    numbers = size_bytes * GGUF_NUMBERS_PER_BYTE if suffix == GGUF else 0
    written = numbers * BYTES[params.dtype]
    reading = size_bytes / UNPACKED_BYTES_PER_S.get(suffix, DISK_BYTES_PER_S) + written / GGUF_BYTES_PER_S
    held = size_bytes + written if suffix == GGUF else 0
    return Import(
        seconds=round(IMPORT_START_S + reading),
        start_s=IMPORT_START_S,
        memory_mib=STORE_FLOOR_MIB + round(held / MIB),
        size_bytes=size_bytes,
    )


def of_publish(*, model: dict[str, Any], is_adapter: bool) -> Publishing:
    """model: meta of the base model's version."""
    parameters = int(model.get("parameters") or 0)
    loaded, written = parameters * 4, parameters * BYTES.get(model.get("dtype", ""), 4)
    beside = written if written < loaded else 0
    start_s = PUBLISH_START_S + is_adapter * MERGE_START_S
    return Publishing(
        seconds=round(start_s + (loaded + written) / DISK_BYTES_PER_S),
        start_s=start_s,
        memory_mib=STORE_FLOOR_MIB + round((loaded + beside) / MIB),
        parameters=parameters,
    )


def _token_bytes(shape: dict[str, int], number_bytes: int) -> int:
    """Keys and values of one token in all layers. Models that were imported before these were noted count all heads."""
    heads = shape.get("heads") or 1
    kept = shape.get("kv_heads") or heads
    size = shape.get("head_size") or shape.get("hidden_size", 0) // heads
    return 2 * number_bytes * shape.get("layers", 0) * kept * size
