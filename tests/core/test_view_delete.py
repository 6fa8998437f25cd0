"""`core:view_delete`."""

import pytest
from django.urls import reverse

from apps.core.models import SavedView
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def make(house, name="Failed", **fields):
    return SavedView.objects.create(
        user=house.viewer, list="gpucloud:job_list", name=name, query="state=failed", **fields
    )


def url(house, view):
    return reverse("core:view_delete", args=[house.project.slug, view.pk])


def test_it_goes(house):
    view = make(house)
    answer = house.client("viewer").post(url(house, view))
    assert answer["Location"] == reverse("gpucloud:job_list", args=[house.project.slug]) + "?all=1"
    assert not SavedView.objects.exists()
    assert house.client("viewer").post(url(house, view)).status_code == 404


@pytest.mark.parametrize(("part", "status"), [("owner", 404), ("stranger", 404), (None, 302)])
def test_it_is_nobody_elses(house, part, status):
    assert house.client(part).post(url(house, make(house))).status_code == status
    assert SavedView.objects.filter(is_default=False).count() == 1


def test_it_takes_a_post(house):
    assert house.client("viewer").get(url(house, make(house))).status_code == 405
