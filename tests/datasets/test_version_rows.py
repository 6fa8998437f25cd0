"""All rows of a version, a page at a time."""

from pathlib import Path

import pytest
from django.urls import reverse
from pyarrow import parquet

from tests.datasets.making import make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house, version, query=""):
    return reverse("datasets:version_rows", args=[house.project.slug, version.pk]) + query


def test_pages_follow_each_other(tmp_path: Path):
    house = make_house()
    rows = [{"text": f"row number {number} of many"} for number in range(1, 2051)]
    version = make_version(house, tmp_path, rows=rows)
    client = house.client("viewer")
    first = client.get(url(house, version)).content.decode()
    assert "row number 20 of" in first
    assert "row number 21 of" not in first
    assert "?from=21" in first
    across_groups = client.get(url(house, version, "?from=995")).content.decode()
    assert "row number 995 of" in across_groups
    assert "row number 1014 of" in across_groups
    last = client.get(url(house, version, "?from=99999")).content.decode()
    assert "row number 2050 of" in last
    assert 'rel="next"' not in last


def test_the_last_page_reads_no_more_than_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rows lie in groups that an index leads to: a page takes one or two of them, however many there are."""
    house = make_house()
    version = make_version(house, tmp_path, rows=[{"text": f"row number {number}"} for number in range(1, 6001)])
    read: list[int] = []
    whole = parquet.ParquetFile.read_row_group

    def spy(self, group, *args, **options):
        read.append(group)
        return whole(self, group, *args, **options)

    monkeypatch.setattr(parquet.ParquetFile, "read_row_group", spy)
    client = house.client("viewer")
    for query, groups in (("", [0]), ("?from=5981", [5]), ("?from=2995", [2, 3])):
        read.clear()
        page = client.get(url(house, version, query)).content.decode()
        assert read == groups
        assert f"row number {query.removeprefix('?from=') or 1}<" in page
    assert '<input type="number" name="from"' in page


def test_a_table_has_its_columns(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path, rows=["city,people", "Hangzhou,1252", "Ningbo,969"], filename="cities.csv")
    page = house.client().get(url(house, version)).content.decode()
    assert '<th scope="col">people</th>' in page
    assert "Ningbo" in page


@pytest.mark.parametrize("query", ["?from=-1", "?from=x", "?from=0", "?from=" + "9" * 40])
def test_strange_places_show_the_start(tmp_path: Path, query: str):
    house = make_house()
    assert house.client().get(url(house, make_version(house, tmp_path), query)).status_code == 200


def test_not_allowed(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client(None).get(url(house, version)).status_code == 302
    assert house.client("stranger").get(url(house, version)).status_code == 404
