"""Rows that cleaning left out, with step and reason."""

from pathlib import Path

import pytest
from django.urls import reverse

from tests.datasets.making import make_cleaned, make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house, version):
    return reverse("datasets:version_dropped", args=[house.project.slug, version.pk])


def test_works(tmp_path: Path):
    house = make_house()
    page = house.client("viewer").get(url(house, make_cleaned(house, tmp_path))).content.decode()
    assert "Remove exact duplicates" in page
    assert "Same as an earlier row (1)" in page
    assert "A house for models" in page


def test_nothing_dropped(tmp_path: Path):
    house = make_house()
    assert "Nothing was dropped" in house.client().get(url(house, make_version(house, tmp_path))).content.decode()


def test_not_allowed(tmp_path: Path):
    house = make_house()
    version = make_cleaned(house, tmp_path)
    assert house.client(None).get(url(house, version)).status_code == 302
    assert house.client("stranger").get(url(house, version)).status_code == 404
