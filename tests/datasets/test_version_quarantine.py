"""Rows that could not be used, with number and reason."""

from pathlib import Path

import pytest
from django.urls import reverse

from tests.datasets.making import make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house, version):
    return reverse("datasets:version_quarantine", args=[house.project.slug, version.pk])


def test_works(tmp_path: Path):
    house = make_house()
    page = house.client("viewer").get(url(house, make_version(house, tmp_path))).content.decode()
    assert "Malformed JSON" in page
    assert "line 3" in page
    assert "{broken" in page


def test_nothing_in_it(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path, rows=[{"text": "fine"}])
    assert "Nothing in quarantine" in house.client().get(url(house, version)).content.decode()


def test_not_allowed(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client(None).get(url(house, version)).status_code == 302
    assert house.client("stranger").get(url(house, version)).status_code == 404
