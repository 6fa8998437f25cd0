"""Benchmarks in the layout their authors publish, asked with the templates of lm-evaluation-harness. One file each.

A benchmark brings no data: people send their copy of it. What is here says how its CSV files are named and read and
which of the harness's built-in task templates asks its questions, so that scores equal the harness's own.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.errors import InvalidInput
from workers.registry import Registry
from workers.words import marked as _

Doc = dict[str, Any]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MAX_FIELD = 1 << 20


@dataclass(frozen=True)
class Benchmark:
    """templates: folder and file name of the harness's template of a subject, `{}` standing for the subject.

    shared: file with what all subjects share. columns: names of a CSV file's columns, or none when its first line names
    them. doc(row): what the template reads, from one line. test: the splits that may hold the questions, best first.
    describe(subject): the sentence before the questions, for subjects the harness does not know.
    """

    label: str
    templates: str
    shared: str
    columns: tuple[str, ...]
    doc: Callable[[dict[str, str]], Doc]
    test: tuple[str, ...]
    describe: Callable[[str], str]
    examples: str = "dev"
    splits: tuple[str, ...] = field(default=("dev", "val", "test"))


benchmarks: Registry[Benchmark] = Registry("benchmark", "workers.lms.benchmarks")


def read_folder(benchmark: Benchmark, folder: Path) -> dict[str, dict[str, list[Doc]]]:
    """Subject → split → questions, from folders called dev, val and test wherever they lie.

    Raises InvalidInput when there are none, or naming file and line of a question that cannot be read.
    """
    subjects: dict[str, dict[str, list[Doc]]] = {}
    for path in sorted(folder.rglob("*.csv")):
        split = path.parent.name
        if split in benchmark.splits and split in (benchmark.examples, *benchmark.test):
            subject = path.stem.removesuffix(f"_{split}")
            subjects.setdefault(subject, {})[split] = read_csv(benchmark, path)
    whole = {name: splits for name, splits in subjects.items() if any(splits.get(split) for split in benchmark.test)}
    if not whole:
        raise InvalidInput(
            _("No questions of %(benchmark)s were found: folders named %(splits)s with CSV files are needed."),
            code="benchmark_without_questions",
            benchmark=benchmark.label,
            splits=", ".join((benchmark.examples, *benchmark.test)),
        )
    return whole


def read_csv(benchmark: Benchmark, path: Path) -> list[Doc]:
    csv.field_size_limit(MAX_FIELD)
    docs: list[Doc] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file, fieldnames=benchmark.columns or None)
        while True:
            try:
                if (row := next(lines, None)) is None:
                    return docs
                docs.append(benchmark.doc({key: value for key, value in row.items() if key is not None}))
            except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
                raise InvalidInput(
                    _("%(file)s, line %(line)d, is not a question of %(benchmark)s: %(error)s"),
                    code="benchmark_row",
                    file=path.name,
                    line=lines.line_num,
                    benchmark=benchmark.label,
                    error=f"{type(error).__name__}: {error}"[:200],
                ) from None


def letter(value: str) -> str:
    """The answer as one of A to D. Raises ValueError."""
    answer = value.strip()
    if answer not in ("A", "B", "C", "D"):
        raise ValueError(f"the answer is {answer[:20]!r} and not A, B, C or D")
    return answer


def text(row: dict[str, str], name: str) -> str:
    """A field that must be there. Raises ValueError naming it."""
    if row.get(name) is None:
        raise ValueError(f"column {name} is missing")
    return row[name]
