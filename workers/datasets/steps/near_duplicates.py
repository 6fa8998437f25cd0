"""Nearly the same row again, found by MinHash (rensa)."""

import re
from typing import Literal

from workers.datasets.base import Cost, Drop, Row, Step, Verdict, steps
from workers.datasets.texts import texts
from workers.params import Params as Base
from workers.params import param
from workers.words import marked as _

TOKEN = re.compile(r"[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|\d+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A word, a number, or one Chinese, Japanese or Korean character."""
URL = re.compile(r"\b\w+://\S+")
"""Begins at the beginning of a word, as one long word would be read again from each of its letters."""
NUMBER = re.compile(r"\d+")
PERMUTATIONS = 128
RECALL = 0.94
"""Share of pairs exactly at the threshold that the bands must bring together; the estimate then decides."""


class Params(Base):
    threshold: float = param(
        0.8,
        label=_("Similarity"),
        help=_("Share of common word groups from which rows count as the same."),
        ge=0.3,
        le=1,
    )
    shingle_words: int = param(
        3,
        label=_("Words in a group"),
        help=_("Chinese counts by the character; fewer finds looser likeness."),
        ge=1,
        le=10,
    )
    part: Literal["all", "question"] = param("all", label=_("Compare"))
    keep_numbers: bool = param(
        True,
        label=_("Numbers must agree"),
        help=_("Rows that differ in a number are never the same: invoices, prices, dates."),
    )


def shingles(text: str, size: int) -> list[str]:
    """Groups of `size` words, or the whole of a shorter text."""
    words = TOKEN.findall(text.casefold())
    if len(words) <= size:
        return [" ".join(words)]
    return [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers of a text in order; digits inside addresses of web pages mean nothing."""
    return tuple(NUMBER.findall(URL.sub("", text)))


def bands_for(threshold: float) -> int:
    """As few bands as find a pair at the threshold with the wanted recall: 1 - (1 - t^r)^b."""
    for rows in (64, 32, 16, 8, 4, 2):
        bands = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= RECALL:
            return bands
    return PERMUTATIONS


def build(params: Params, form: str) -> Verdict:
    """Compares each row with the rows kept so far, so the first of its kind stays whatever comes later. About 1 KiB a
    kept row in memory."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(params.threshold, PERMUTATIONS, bands_for(params.threshold))
    kept: list[tuple[int, RMinHash, int]] = []

    def verdict(number: int, row: Row) -> Row | Drop:
        text = "\n".join(texts(row, form, params.part))
        sketch = RMinHash(PERMUTATIONS, 42)
        sketch.update(shingles(text, params.shingle_words))
        figures = hash(numbers_in(text)) if params.keep_numbers else 0
        for candidate in sorted(index.query(sketch)):
            first, other, other_figures = kept[candidate]
            if figures == other_figures and (likeness := sketch.jaccard(other)) >= params.threshold:
                return Drop("near_duplicate", f"{first}, {likeness:.2f}")
        index.insert(len(kept), sketch)
        kept.append((number, sketch, figures))
        return row

    return verdict


steps.add(
    "near_duplicates",
    Step(
        _("Remove near duplicates"),
        _("Keep the first of rows that say nearly the same in nearly the same words."),
        Params,
        build,
        {"near_duplicate": _("Nearly the same as an earlier row")},
        order=60,
        default=True,
        cost=Cost(10, 145, chinese_ns=530, kept_bytes=2500),
    ),
)
