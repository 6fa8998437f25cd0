"""The recipe editor's right side: counts falling step by step, rows before and after."""

from pathlib import Path

import pytest
from django.urls import reverse

from apps.datasets import shapes
from tests.datasets.making import make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def url(house, version):
    return reverse("datasets:clean_preview", args=[house.project.slug, version.pk])


def test_counts_and_rows(tmp_path: Path):
    house = make_house()
    rows = [{"instruction": "Ｗｈｏ are you?", "output": "AIFS\u200b, a house for models."}] * 2
    version = make_version(house, tmp_path, rows=rows)
    data = {"unicode_normalise-use": "on", "unicode_normalise-form": "NFC", "unicode_normalise-full_width": "on"}
    data |= {"unicode_normalise-remove_invisible": "on", "exact_duplicates-use": "on", "exact_duplicates-part": "all"}
    page = house.client("expert").post(url(house, version), data, headers=HTMX).content.decode()
    assert "<html" not in page
    assert "2 → 1" in page
    assert "⟨U+200B⟩" in page
    assert "<del" in page
    assert "<ins" in page
    assert "Same as an earlier row (1)" in page


def test_without_scripts_the_whole_page_comes(tmp_path: Path):
    house = make_house()
    page = house.client().post(url(house, make_version(house, tmp_path)), {"html-use": "on"}).content.decode()
    assert "<html" in page
    assert "4 → 4" in page


def test_what_all_rows_will_take(tmp_path: Path):
    house = make_house()
    where = url(house, make_version(house, tmp_path))
    made = house.client().post(where, {"html-use": "on"}, headers=HTMX).context["estimate"]
    assert (made.rows, made.seconds > 0, made.memory_mib > 0) == (4, True, True)
    page = house.client().post(where, {"html-use": "on"}, headers=HTMX).content.decode()
    assert "1.0 s of it to start" in page
    assert "estimate" not in house.client().post(where, {}, headers=HTMX).context


def test_wrong_options_are_named(tmp_path: Path):
    house = make_house()
    data = {"length_filter-use": "on", "length_filter-part": "all", "length_filter-min_characters": "many"}
    page = house.client().post(url(house, make_version(house, tmp_path)), data, headers=HTMX).content.decode()
    assert "Filter by length" in page
    assert 'role="alert"' in page


def test_not_allowed(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client().get(url(house, version)).status_code == 405
    assert house.client("viewer").post(url(house, version)).status_code == 403
    assert house.client("stranger").post(url(house, version)).status_code == 404
    assert house.client(None).post(url(house, version)).status_code == 302


def test_differences_put_together_give_both_texts():
    old, new = "one  two\u200b three", "one two 3"
    pieces = shapes.differences(old, new)
    assert "".join(piece["text"] for piece in pieces if piece["kind"] != "removed") == new
    kept = "".join(piece["text"] for piece in pieces if piece["kind"] != "added")
    assert kept.replace("⟨U+200B⟩", "\u200b").replace("·", " ") == old
