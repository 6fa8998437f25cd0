"""The import wizard's first step: what the file is, before anything is stored."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.core.models import Upload
from apps.datasets import previews
from apps.gpucloud.models import Job
from tests.datasets.making import ROWS, as_lines, make_upload
from tests.factories import make_house

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def url(house):
    return reverse("datasets:import_preview", args=[house.project.slug])


def test_a_fragment_shows_format_rows_and_quarantine(tmp_path: Path):
    house = make_house()
    upload = make_upload(house, tmp_path, as_lines(ROWS), "facts.jsonl")
    answer = house.client("expert").post(url(house), {"source": str(upload.pk)}, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in page
    for words in ("Alpaca", "A house for models", "Malformed JSON", "UTF-8", 'value="facts"', "放在自己的机器上"):
        assert words in page
    assert not Job.objects.exists()


def test_a_typed_name_is_left_alone(tmp_path: Path):
    house = make_house()
    upload = make_upload(house, tmp_path, as_lines(ROWS), "facts.jsonl")
    page = house.client().post(url(house), {"source": str(upload.pk), "name": "mine"}, headers=HTMX).content.decode()
    assert "hx-swap-oob" not in page


@pytest.mark.parametrize(("name", "proposed"), [("earlier", True), ("", True), ("mine", False)])
def test_another_file_proposes_its_own_name(tmp_path: Path, name: str, proposed: bool):
    """As long as nobody has typed one in place of the first proposal."""
    house = make_house()
    upload = make_upload(house, tmp_path, as_lines(ROWS), "facts.jsonl")
    asked = {"source": str(upload.pk), "name": name, "suggested": "earlier"}
    page = house.client().post(url(house), asked, headers=HTMX).content.decode()
    assert ('<input type="hidden" name="suggested" value="facts">' in page) == proposed


def test_a_table_is_shown_as_one(tmp_path: Path):
    house = make_house()
    upload = make_upload(house, tmp_path, "城市,人口\n杭州,1252\n宁波,969\n".encode("gb18030"), "cities.csv")
    page = house.client().post(url(house), {"source": str(upload.pk)}, headers=HTMX).content.decode()
    assert "<table" in page
    assert "宁波" in page
    assert "GB18030" in page


def test_a_table_of_headings_alone_is_warned_about(tmp_path: Path):
    house = make_house()
    upload = make_upload(house, tmp_path, b"question,answer\n", "empty.csv")
    page = house.client().post(url(house), {"source": str(upload.pk)}, headers=HTMX).content.decode()
    assert "This file holds no rows" in page


def test_without_scripts_the_page_comes_back_with_the_file_kept():
    house = make_house()
    answer = house.client().post(url(house), {"source": SimpleUploadedFile("facts.jsonl", as_lines(ROWS))})
    page = answer.content.decode()
    assert "<html" in page
    assert "Alpaca" in page
    assert f'<input type="hidden" name="source" value="{Upload.objects.get().pk}">' in page


def test_the_page_tells_what_the_import_of_a_kept_file_takes():
    house = make_house()
    sent = {"source": SimpleUploadedFile("facts.jsonl", as_lines(ROWS)), "kind": "auto"}
    sent |= {"format": "auto", "encoding": "auto"}
    assert house.client().post(url(house), sent).context["estimate"].size_bytes == len(as_lines(ROWS))
    empty = house.client().get(reverse("datasets:import_create", args=[house.project.slug]))
    assert "estimate" not in empty.context and "Choose what it works on" in empty.content.decode()


@pytest.mark.parametrize(
    ("content", "filename", "fields", "words"),
    [
        (b'{"foo": 1}', "rows.jsonl", {"kind": "instruction"}, "foo"),
        (b"\x00\x01\x02" * 99, "model.bin", {}, "not text"),
        (b"PAR1 nothing", "rows.parquet", {}, "cannot be read"),
        (b'{"foo": 1}', "rows.jsonl", {"encoding": "klingon"}, "klingon"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, content: bytes, filename: str, fields: dict[str, str], words: str):
    house = make_house()
    upload = make_upload(house, tmp_path, content, filename)
    page = house.client().post(url(house), {"source": str(upload.pk), **fields}, headers=HTMX).content.decode()
    assert words in page
    assert 'role="alert"' in page or "field-error" in page


def test_a_50_mb_row_is_looked_at_within_bounds(tmp_path: Path):
    house = make_house()
    row = b'{"instruction": "a", "output": "' + b"x" * (50 << 20) + b'"}\n'
    upload = make_upload(house, tmp_path, row + as_lines(ROWS))
    page = house.client().post(url(house), {"source": str(upload.pk)}, headers=HTMX).content.decode()
    assert "Row too large" in page
    assert len(page) < 100_000


def test_a_file_that_takes_too_long_is_cut_off(tmp_path: Path, monkeypatch):
    pool = previews.Pool("workers.datasets.preview:preview", size=1, cpu_s=0.01, wall_s=20, memory_mib=2048)
    monkeypatch.setattr(previews, "FILES", pool)
    house = make_house()
    upload = make_upload(house, tmp_path, b'{"text": "' + b"x" * (30 << 20) + b'"}\n' + as_lines(ROWS))
    page = house.client().post(url(house), {"source": str(upload.pk)}, headers=HTMX).content.decode()
    pool.close()
    assert "stopped" in page


def test_nothing_to_look_at_and_not_allowed():
    house = make_house()
    assert house.client().post(url(house), {}, headers=HTMX).status_code == 200
    assert house.client().get(url(house)).status_code == 405
    assert house.client("viewer").post(url(house), {}).status_code == 403
    assert house.client("stranger").post(url(house), {}).status_code == 404
    assert house.client(None).post(url(house), {}).status_code == 302
