"""All rows as a file."""

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
from django.http import StreamingHttpResponse
from django.urls import reverse

from tests.datasets.making import make_version
from tests.factories import make_house
from tests.workers.datasets.running import run_import

pytestmark = pytest.mark.django_db


def url(house, version, format="jsonl"):
    return reverse("datasets:version_export", args=[house.project.slug, version.pk]) + f"?format={format}"


def body(answer: StreamingHttpResponse) -> bytes:
    async def read() -> bytes:
        return b"".join([part async for part in answer.streaming_content])

    return asyncio.run(read())


def test_jsonl_can_be_imported_again(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    answer = house.client("viewer").get(url(house, version))
    content = body(answer)
    assert answer["Content-Disposition"] == 'attachment; filename="facts-1.jsonl"'
    again = run_import(tmp_path / "again", content)
    assert (again.meta["rows"], again.meta["quarantined"], again.meta["format"]) == (4, 0, "messages")


def test_csv_cells_are_no_formulas(tmp_path: Path):
    house = make_house()
    rows = ["name,note,score", "=cmd|' /C calc'!A0,\"+1+2\",-5", "@SUM(1),-2.5e3,7", "plain,a=b,8"]
    version = make_version(house, tmp_path, rows=rows, filename="notes.csv")
    content = body(house.client().get(url(house, version, "csv"))).decode("utf-8-sig")
    found = list(csv.reader(io.StringIO(content)))
    assert found[0] == ["name", "note", "score"]
    assert found[1] == ["'=cmd|' /C calc'!A0", "'+1+2", "-5"]
    assert found[2] == ["'@SUM(1)", "-2.5e3", "7"]
    assert found[3] == ["plain", "a=b", "8"]


def test_csv_of_conversations_holds_json(tmp_path: Path):
    house = make_house()
    content = body(house.client().get(url(house, make_version(house, tmp_path), "csv"))).decode("utf-8-sig")
    row = next(csv.DictReader(io.StringIO(content)))
    assert json.loads(row["messages"])[0]["role"] == "user"


def test_parquet_is_the_stored_file(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    stored = tmp_path / "import-facts/outputs/dataset/data.parquet"
    assert body(house.client().get(url(house, version, "parquet"))) == stored.read_bytes()


def test_unknown_formats_are_refused(tmp_path: Path):
    house = make_house()
    assert house.client().get(url(house, make_version(house, tmp_path), "exe")).status_code == 400


def test_not_allowed(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client(None).get(url(house, version)).status_code == 302
    assert house.client("stranger").get(url(house, version)).status_code == 404
