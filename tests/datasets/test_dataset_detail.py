"""One dataset with its versions."""

from pathlib import Path

import pytest
from django.urls import reverse

from apps.datasets import services
from tests.datasets.making import make_cleaned
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house, dataset):
    return reverse("datasets:dataset_detail", args=[house.project.slug, dataset.pk])


def test_works(tmp_path: Path):
    house = make_house()
    version = make_cleaned(house, tmp_path)
    page = house.client("viewer").get(url(house, version.dataset)).content.decode()
    for one in version.dataset.versions.all():
        assert reverse("datasets:version_detail", args=[house.project.slug, one.pk]) in page
    assert "Delete for good" not in page


def test_without_versions_it_says_so():
    house = make_house()
    dataset = services.create_dataset(house.actor(), house.project, name="empty")
    assert "No versions yet" in house.client().get(url(house, dataset)).content.decode()


def test_not_allowed():
    house = make_house()
    dataset = services.create_dataset(house.actor(), house.project, name="empty")
    assert house.client(None).get(url(house, dataset)).status_code == 302
    assert house.client("stranger").get(url(house, dataset)).status_code == 404
