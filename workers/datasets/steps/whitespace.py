"""Spaces and blank lines; rows that hold nothing else."""

import re

from workers.datasets.base import Cost, Drop, Row, Step, Verdict, steps
from workers.datasets.texts import replace_texts, texts
from workers.params import Params as Base
from workers.params import param
from workers.words import marked as _

LINE_END = re.compile(r"[ \t\u00a0]+(?=\n|\Z)")
BLANK_LINES = re.compile(r"\n{3,}")
SPACES = re.compile(r"(?<=\S)[ \t\u00a0]{2,}(?=\S)")


class Params(Base):
    collapse_spaces: bool = param(
        False, label=_("Collapse runs of spaces"), help=_("Leave off where code or tables are aligned with spaces.")
    )
    drop_empty: bool = param(True, label=_("Drop rows without a question or an answer"))


def build(params: Params, form: str) -> Verdict:
    def change(text: str) -> str:
        text = LINE_END.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        text = BLANK_LINES.sub("\n\n", text)
        return (SPACES.sub(" ", text) if params.collapse_spaces else text).strip()

    def verdict(number: int, row: Row) -> Row | Drop:
        row = replace_texts(row, form, change)
        if params.drop_empty and form != "table":
            for part in ("question", "answer"):
                if not any(texts(row, form, part)):
                    return Drop("empty", part)
        return row

    return verdict


steps.add(
    "whitespace",
    Step(
        _("Tidy spaces"),
        _("Trim every text, join blank lines, drop rows that are left empty."),
        Params,
        build,
        {"empty": _("Empty")},
        order=30,
        default=True,
        cost=Cost(6, 32),
    ),
)
