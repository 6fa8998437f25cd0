"""Owners rename their project."""

import pytest
from django.urls import reverse

from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def test_owners_change_name_and_description(house):
    url = reverse("core:settings_project", args=[house.project.slug])
    assert house.client().get(url).status_code == 200
    house.client().post(url, {"name": "New name", "description": "About"})
    house.project.refresh_from_db()
    assert (house.project.name, house.project.description, house.project.slug) == ("New name", "About", "harbour")


def test_a_name_is_needed(house):
    url = reverse("core:settings_project", args=[house.project.slug])
    assert "name" in house.client().post(url, {"name": ""}).context["form"].errors


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert house.client(part).get(reverse("core:settings_project", args=[house.project.slug])).status_code == status
