"""`core:view_default`."""

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
    return reverse("core:view_default", args=[house.project.slug, view.pk])


def test_it_makes_a_view_the_default_and_takes_it_back(house):
    view, other = make(house), make(house, "Other", is_default=True)
    answer = house.client("viewer").post(url(house, view))
    assert answer["Location"].endswith("?state=failed")
    assert [row.is_default for row in (SavedView.objects.get(pk=view.pk), SavedView.objects.get(pk=other.pk))] == [
        True,
        False,
    ]
    house.client("viewer").post(url(house, view), {"off": "1"})
    assert not SavedView.objects.filter(is_default=True).exists()


@pytest.mark.parametrize(("part", "status"), [("owner", 404), ("stranger", 404), (None, 302)])
def test_it_is_nobody_elses(house, part, status):
    assert house.client(part).post(url(house, make(house))).status_code == status
    assert SavedView.objects.filter(is_default=False).count() == 1


def test_it_takes_a_post(house):
    assert house.client("viewer").get(url(house, make(house))).status_code == 405
