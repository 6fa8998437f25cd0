"""From a dataset version to training rows: read, hold some out, tokenise, and count everything that is left aside."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.errors import InvalidInput
from workers.io import RunIO
from workers.lms.chat import Encoded, encode
from workers.lmt.base import TuningParams
from workers.words import marked as _

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH_ROWS = 500
NAMED_ROWS = 20
"""Rows that a report names one by one."""


@dataclass
class Report:
    """What became of the rows: each is learned, held out, too long, unusable or also held out."""

    rows: int = 0
    train_rows: int = 0
    held_out_rows: int = 0
    too_long: int = 0
    truncated: int = 0
    unusable: int = 0
    also_held_out: int = 0
    """Rows of the training data that stand in the held-out data as well and are therefore not learned."""
    tokens: int = 0
    answer_tokens: int = 0
    longest: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first rows left out, as {"row", "reason"}; rows count from 1."""

    def count(self, row: Encoded) -> None:
        self.train_rows += 1
        self.tokens += len(row.ids)
        self.answer_tokens += row.answer_tokens
        self.longest = max(self.longest, len(row.ids))

    def leave_out(self, row: int, reason: str) -> None:
        if len(self.examples) < NAMED_ROWS:
            self.examples.append({"row": row, "reason": reason})


@dataclass(frozen=True)
class Question:
    """A conversation up to where the model shall speak, and what the data has it say there."""

    messages: list[dict[str, Any]]
    expected: str

    @property
    def text(self) -> str:
        """Its last words, which are what is asked."""
        return str(self.messages[-1].get("content") or "") if self.messages else ""


class Questions:
    """The first few different ones of the rows that were added."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.found: list[Question] = []

    def add(self, messages: list[dict[str, Any]]) -> None:
        """The first question of a conversation that has an answer."""
        if len(self.found) >= self.most:
            return
        turn = next(number for number, message in enumerate(messages) if message.get("role") == "assistant")
        question = Question(messages[:turn], str(messages[turn].get("content") or ""))
        if question not in self.found:
            self.found.append(question)


@dataclass(frozen=True)
class Prepared:
    """train: Arrow stream file with `input_ids` and `labels`; held_out: rows that only measure; questions: what the
    model is asked along the way, of rows that are not learned where there are such."""

    train: Path
    held_out: list[Encoded]
    report: Report
    questions: list[Question] = field(default_factory=list)


def prepare(params: TuningParams, io: RunIO, tokenizer: "PreTrainedTokenizerBase") -> Prepared:
    """Tokenise the data of a run. Raises InvalidInput when it has no conversations or none can be learned from."""
    own = conversations(io, "dataset")
    report = Report()
    held_out: list[Encoded] = []
    unseen, learned = Questions(params.samples), Questions(params.samples)
    apart = io.has_input("eval_dataset")
    if apart:
        other = conversations(io, "eval_dataset")
        keys = _smallest_keys(other, lambda count: params.eval_rows)
        ignored = Report()  # what is wrong with rows of another dataset is no concern of this one's count
        for number, messages, key in _rows(other):
            if key in keys and (row := _encode(number, messages, params, tokenizer, ignored)):
                held_out.append(row)
                unseen.add(messages)
    else:
        keys = _smallest_keys(own, lambda count: _share(params, count))
    train = io.scratch("data") / "train.arrow"
    with _Writer(train) as writer:
        for number, messages, key in _rows(own):
            report.rows += 1
            if apart and key in keys:
                report.also_held_out += 1
            elif row := _encode(number, messages, params, tokenizer, report):
                if key in keys:
                    held_out.append(row)
                    unseen.add(messages)
                else:
                    writer.add(row)
                    learned.add(messages)
                    report.count(row)
    report.held_out_rows = len(held_out)
    _tell(io, params, report)
    return Prepared(train, held_out, report, [*unseen.found, *learned.found][: params.samples])


def conversations(io: RunIO, name: str) -> Path:
    """The Parquet file of an input dataset. Raises InvalidInput when its rows are no conversations."""
    import pyarrow.parquet as pq

    path = io.input(name) / "data.parquet"
    columns = pq.ParquetFile(path).schema_arrow.names if path.is_file() else []
    if "messages" not in columns:
        raise InvalidInput(
            _("%(dataset)s holds no conversations: the column `messages` is missing."),
            hint=_("Import the data as Alpaca, ShareGPT or OpenAI messages."),
            code="dataset_without_messages",
            dataset=io.spec.inputs[name].name or name,
            columns=columns[:50],
        )
    return path


def _rows(path: Path) -> Iterator[tuple[int, list[dict[str, Any]], int]]:
    """(row number from 1, messages, hash of the messages), a batch at a time."""
    import pyarrow.parquet as pq

    number = 0
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=["messages"]):
        for messages in batch.column(0).to_pylist():
            number += 1
            yield number, messages or [], _hash(messages)


def _hash(messages: Any) -> int:
    text = json.dumps(messages, sort_keys=True, ensure_ascii=False, default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


def _smallest_keys(path: Path, wanted: Callable[[int], int]) -> set[int]:
    """Hashes of the rows that are held out: the smallest ones, so that a row's fate hangs on its words alone, equal
    rows share it, and a repeated run splits alike. wanted: how many of so many different rows."""
    keys = sorted({key for _number, _messages, key in _rows(path)})
    return set(keys[: wanted(len(keys))])


def _share(params: TuningParams, count: int) -> int:
    if not params.eval_fraction or count < 2:
        return 0
    return min(params.eval_rows, max(1, round(count * params.eval_fraction)))


def _encode(
    number: int,
    messages: list[dict[str, Any]],
    params: TuningParams,
    tokenizer: "PreTrainedTokenizerBase",
    report: Report,
) -> Encoded | None:
    """The row as tokens; None, counted, when it cannot be used."""
    try:
        row = encode(tokenizer, messages)
    except ValueError as error:
        report.unusable += 1
        report.leave_out(number, str(error)[:200])
        return None
    if len(row.ids) > params.max_length:
        cut = Encoded(row.ids[: params.max_length], row.labels[: params.max_length])
        if params.too_long == "drop" or not cut.answer_tokens:
            report.too_long += 1
            report.leave_out(number, f"{len(row.ids)} tokens")
            return None
        report.truncated += 1
        row = cut
    if not row.answer_tokens:
        report.unusable += 1
        report.leave_out(number, "the answer is empty")
        return None
    return row


class _Writer:
    """Writes rows to an Arrow stream that is read back by memory map: the data may be larger than the memory."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._schema = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])
        self._stream = pa.ipc.new_stream(str(path), self._schema)
        self._rows: list[Encoded] = []

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self._flush()
        self._stream.close()

    def add(self, row: Encoded) -> None:
        self._rows.append(row)
        if len(self._rows) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            columns = [[row.ids for row in self._rows], [row.labels for row in self._rows]]
            self._stream.write_batch(pa.record_batch(columns, schema=self._schema))
            self._rows = []


def _tell(io: RunIO, params: TuningParams, report: Report) -> None:
    """Put the counts into the log. Raises InvalidInput when no row is left to learn from."""
    if not report.train_rows:
        raise InvalidInput(
            _("None of the %(rows)d rows can be learned from: %(too_long)d too long, %(unusable)d without an answer."),
            hint=_("Raise the longest row, or look at the rows named below."),
            code="no_training_rows",
            rows=report.rows,
            too_long=report.too_long,
            unusable=report.unusable,
            examples=report.examples,
        )
    io.log(
        _("%(train)d rows to learn from, %(held_out)d held out, %(tokens)d tokens."),
        train=report.train_rows,
        held_out=report.held_out_rows,
        tokens=report.tokens,
    )
    if report.too_long or report.truncated:
        io.log(
            _("%(dropped)d rows longer than %(limit)d tokens were left out, %(cut)d were cut."),
            level="warning",
            dropped=report.too_long,
            cut=report.truncated,
            limit=params.max_length,
        )
    if report.unusable:
        io.log(
            _("%(count)d rows without a usable answer were left out."),
            level="warning",
            count=report.unusable,
            examples=report.examples,
        )
