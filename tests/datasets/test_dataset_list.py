"""The list of datasets."""

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.datasets import services
from tests.datasets.making import make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house, query=""):
    return reverse("datasets:dataset_list", args=[house.project.slug]) + query


def test_works(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    page = house.client("viewer").get(url(house)).content.decode()
    assert "facts" in page
    assert reverse("datasets:version_detail", args=[house.project.slug, version.pk]) in page
    assert "Conversations" in page


def test_empty_says_what_to_do():
    house = make_house()
    import_url = reverse("datasets:import_create", args=[house.project.slug])
    assert import_url in house.client("expert").get(url(house)).content.decode()
    assert import_url not in house.client("viewer").get(url(house)).content.decode()


def test_search_and_kind_narrow_the_list():
    house = make_house()
    services.create_dataset(house.actor(), house.project, name="tides", kind="industry")
    services.create_dataset(house.actor(), house.project, name="winds", kind="general")
    client = house.client()
    assert "winds" not in client.get(url(house, "?q=tide")).content.decode()
    page = client.get(url(house, "?kind=general")).content.decode()
    assert "winds" in page
    assert "tides" not in page
    assert "Nothing fits" in client.get(url(house, "?q=zzz")).content.decode()


def test_it_sorts_by_name():
    house = make_house()
    for name in ("tides", "winds", "birds"):
        services.create_dataset(house.actor(), house.project, name=name)
    rows = house.client().get(url(house, "?sort=name")).context["rows"]
    assert [row.name for row in rows] == ["birds", "tides", "winds"]


def test_signed_out_goes_to_sign_in():
    house = make_house()
    assert house.client(None).get(url(house)).status_code == 302


def test_somebody_elses_is_404(tmp_path: Path):
    house = make_house()
    make_version(house, tmp_path)
    assert house.client("stranger").get(url(house)).status_code == 404


def test_more_rows_ask_no_more_queries():
    house = make_house()
    client = house.client()
    client.get(url(house))
    with CaptureQueriesContext(connection) as few:
        client.get(url(house))
    for number in range(6):
        services.create_dataset(house.actor(), house.project, name=f"set-{number}")
    with CaptureQueriesContext(connection) as many:
        client.get(url(house))
    assert len(many) <= len(few)


def test_hostile_queries_are_harmless():
    house = make_house()
    for query in ("?before=../x", "?kind=%27;drop", "?q=%00"):
        assert house.client().get(url(house, query)).status_code in (200, 400)
