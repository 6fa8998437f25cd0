"""How values look on a page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.template import Context, Template
from django.utils import translation

from apps.core.templatetags import ui


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"), (0, "0 ms"), (0.25, "250 ms"), (4.24, "4.2 s"), (42, "42 s"), (200, "3 min 20 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (90_000, "1 d 1 h"), (timedelta(minutes=2), "2 min"),
    ],
)  # fmt: skip
def test_duration(seconds: float | timedelta | None, text: str) -> None:
    assert ui.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0, "0 B"), (512, "512 B"), (1536, "1.5 KiB"), (150 << 20, "150 MiB"), (3 << 40, "3.0 TiB")],
)
def test_size(value: int | None, text: str) -> None:
    assert ui.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "—"), (0, "0"), (950, "950"), (49_152, "49.2K"), (134_515_008, "135M"), (7.2e9, "7.2B")]
)
def test_compact(value: float | None, text: str) -> None:
    assert ui.compact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"), (float("nan"), "—"), (0, "0"), (2, "2"), (2.10001, "2.1"), (0.012345, "0.01235"),
        (0.0002, "2.00e-4"), (-0.00001234, "-1.23e-5"), (1234.56, "1,235"), (98_765.4, "98,770"), (2e7, "2.00e+7"),
    ],
)  # fmt: skip
def test_measurements_keep_four_meaningful_digits(value: float | None, text: str) -> None:
    """As frontend/words.ts writes them."""
    assert ui.measure(value) == text


def test_percent_and_fixed() -> None:
    assert ui.percent(0.5) == "50.0 %"
    assert ui.percent(None) == ui.fixed(None) == "—"


@pytest.mark.parametrize("filter", [ui.duration, ui.size, ui.compact, ui.percent, ui.fixed])
def test_what_a_template_does_not_find_is_a_dash(filter: Callable[[Any], str]) -> None:
    assert filter("") == filter(None) == "—"


def test_fixed_rounds() -> None:
    assert ui.fixed(1.23456) == "1.235"


def test_a_marked_text_is_translated_before_it_is_filled() -> None:
    with translation.override("zh-hans"):
        assert ui.marked("Waits for “%(name)s” to succeed.", {"name": "甲"}) == "等待“甲”成功。"
    assert ui.marked("Waits for “%(name)s” to succeed.", {"name": "a"}) == "Waits for “a” to succeed."


def test_a_marked_text_without_its_data_is_shown_as_it_is() -> None:
    assert ui.marked("%(left)s left", {"other": 1}) == "%(left)s left"
    assert ui.marked("100 % done", {"other": 1}) == "100 % done"
    assert ui.reason({}) == ui.reason(None) == ui.marked(None) == ""
    assert ui.reason({"message": "Row %(row)d", "data": {"row": 3}}) == "Row 3"


def test_every_state_is_shown_by_colour_word_and_icon() -> None:
    for state, look in ui.LOOKS.items():
        html = Template('{% include "ui/badge.html" with state=state %}').render(Context({"state": state}))
        assert str(look.label) in html
        assert f"#{look.icon}" in html
    assert ui.look("never heard of") == ui.UNKNOWN


def test_the_title_stands_twice() -> None:
    page = Template('{% extends "plain.html" %}{% block title %}A & B{% endblock %}').render(Context({}))
    assert "<title>A & B · AIFS</title>" in page
    assert "<h1>A & B</h1>" in page


def test_what_people_wrote_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    for piece in ("ui/copy.html", "ui/snippet.html", "ui/empty.html", "ui/notice.html", "ui/stat.html"):
        html = Template("{% include piece with text=evil code=evil title=evil label=evil value=evil %}").render(
            Context({"piece": piece, "evil": evil})
        )
        assert evil not in html
        assert "&lt;script&gt;" in html
