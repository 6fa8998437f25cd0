"""Rows that are made to cost: the time of every cleaning step grows with the length of a row, not with its square."""

import gc
import itertools
import re
import time
import unicodedata
from collections.abc import Callable

import pytest

from workers.datasets.base import steps
from workers.datasets.json_values import Values
from workers.datasets.steps.html import strip_html, without_hidden
from workers.datasets.steps.unicode_normalise import normalised

CHARACTERS = 1 << 19
UNITS = [
    "<script>", "<script ", "<script></script ", "<style>", "<!--", "<script><!--<style>", "<", "</", "<p ", "<p a=\"",
    "<a href='", "b<", "&", "&#1", "&ampampamp", " ", " x", "\u00a0x \u00a0", "\n", " \n\t", "\r", "1", "1 ", "4444-",
    "86 1", "+86-13", "a@", "a.", "a@b.", "a" * 64 + "@", ".", "a", "w:", "http://", "://", "海", "１", "\u0e01", "ß",
    "\u0301", "\u0301\u0316", "a\u0301\u0316", "\u0f73", "\u1100\u1161", "\u200b", "\U0001f468\u200d", "\ufdfa",
]  # fmt: skip
"""Repeated, they fill a row: what opens and never closes, what nearly matches, what is taken apart or sorted."""
FULL = {"whitespace": {"collapse_spaces": True}, "unicode_normalise": {"form": "NFKC"}}
"""Parameters that switch on all of a step."""
TIMES, GROWTH = 4, 10.0
"""A row four times as long: four times the time, and more than as much again for what memory and a busy machine add.
A square would give sixteen."""
MEANINGLESS_S = 0.05
"""Less than this is noise; with a square behind it a row of this length would take minutes."""


def row(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


def used(work: Callable[[], object]) -> float:
    """Processor seconds, without those of the collector, which goes through all that other tests have left."""
    gc.disable()
    try:
        start = time.process_time()
        work()
        return time.process_time() - start
    finally:
        gc.enable()


def grows(work: Callable[[int], Callable[[], object]], length: int = CHARACTERS) -> float:
    """How much longer the long row takes: the best of three comparisons, begun small so that a square is found soon."""
    for small in (length // 64, length // TIMES):
        best = min(_ratio(work, small) for _try in range(3)) if _ratio(work, small) > GROWTH else 0.0
        if best > GROWTH:
            return best
    return 0.0


def _ratio(work: Callable[[int], Callable[[], object]], small: int) -> float:
    long = used(work(TIMES * small))
    return long / max(used(work(small)), 1e-6) if long > MEANINGLESS_S else 0.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", steps.names())
def test_no_step_takes_the_square_of_a_row(name: str) -> None:
    step = steps.get(name)
    params = step.params(**FULL.get(name, {}))

    def work(unit: str) -> Callable[[int], Callable[[], object]]:
        def of(length: int) -> Callable[[], object]:
            given, verdict = {"id": None, "text": row(unit, length), "extra": None}, step.build(params, "text")
            return lambda: verdict(1, given)

        return of

    assert {unit[:20]: ratio for unit in UNITS if (ratio := grows(work(unit))) > GROWTH} == {}


BROKEN = {
    "escapes in a key": ('{"', '\\"'),
    "escapes in a text": ('["', "\\a"),
    "rows that open": ("", '{"a":'),
    "lists in lists": ("[", "["),
    "brackets that close": ("[", "}"),
    "keys without a value": ('{"a":1,', '"a":['),
    "rows without a value": ('[{"a":1},', '{"b"},'),
    "lines without a value": ('[{"a":1},', "{b,\n"),
    "words": ("[", "x,"),
    "spaces behind a key": ('{"a"', " "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_json_is_read_in_its_length(name: str) -> None:
    start, unit = BROKEN[name]

    def of(length: int) -> Callable[[], object]:
        text = start + row(unit, length)
        chunks = [text[at : at + 65536] for at in range(0, len(text), 65536)]
        return lambda: sum(1 for _row in Values(iter(chunks)).rows())

    assert grows(of, CHARACTERS >> 1) <= GROWTH


def test_what_is_hidden_is_what_one_pattern_would_find() -> None:
    pattern = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
    pieces = ("<script", "</SCRIPT >", "<style a>", "</style>", "<!--", "-->", ">", "x")
    for length in range(1, 6):
        for parts in itertools.product(pieces, repeat=length):
            text = "".join(parts)
            assert without_hidden(text) == pattern.sub("", text), text
    assert strip_html("a<script>1</script>b<!-- c -->d<script>") == "abd<script>"


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_normal_forms_are_those_of_unicode_but_for_heaps_of_marks(form: str) -> None:
    for parts in itertools.product(("a", "é", "\u0301", "\u0316", "\u0f73", "ﬁ", "\u1100\u1161"), repeat=4):
        text = "".join(parts) * 3
        assert normalised(form, text) == unicodedata.normalize(form, text)
    letters, heap = "e\u0301" * 40, "\u0301\u0316" * 50
    assert normalised(form, f"{letters}海{heap}{letters}") == f"{'é' * 40}海{heap}{'é' * 40}"


def test_nobody_brings_a_pattern_of_his_own() -> None:
    """No parameter of a cleaning step is a regular expression; one that comes must say here how it is bounded."""
    for name, step in steps.items():
        for field in step.params.model_fields:
            assert not re.search(r"pattern|regex|expression", field), f"{name}: {field}"
