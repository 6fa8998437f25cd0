"""The page of one version."""

from pathlib import Path

import pytest
from django.urls import reverse

from tests.datasets.making import make_cleaned, make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house, version):
    return reverse("datasets:version_detail", args=[house.project.slug, version.pk])


def test_works(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert (version.rows_in, version.rows, version.quarantined) == (5, 4, 1)
    page = house.client("viewer").get(url(house, version)).content.decode()
    assert "A house for models" in page
    assert "Alpaca" in page
    assert "Malformed JSON" in page
    assert version.artefact.sha256 in page
    assert "datasets/_" not in page


def test_cleaning_is_told_step_by_step(tmp_path: Path):
    house = make_house()
    version = make_cleaned(house, tmp_path)
    assert (version.number, version.dropped) == (2, 1)
    page = house.client().get(url(house, version)).content.decode()
    assert "Remove exact duplicates" in page
    assert "Same as an earlier row" in page
    assert "facts:1" in page


def test_actions_follow_the_role(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    clean = reverse("datasets:clean_create", args=[house.project.slug, version.pk])
    assert clean in house.client("expert").get(url(house, version)).content.decode()
    assert clean not in house.client("viewer").get(url(house, version)).content.decode()


def test_signed_out_goes_to_sign_in(tmp_path: Path):
    house = make_house()
    assert house.client(None).get(url(house, make_version(house, tmp_path))).status_code == 302


def test_somebody_elses_is_404(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client("stranger").get(url(house, version)).status_code == 404
    inside_other = reverse("datasets:version_detail", args=[house.other_project.slug, version.pk])
    assert house.client("stranger").get(inside_other).status_code == 404


def test_markup_in_rows_is_inert(tmp_path: Path):
    house = make_house()
    rows = [{"instruction": "<script>alert(1)</script>", "output": "<img src=x onerror=alert(1)>"}]
    page = house.client().get(url(house, make_version(house, tmp_path, rows=rows))).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
