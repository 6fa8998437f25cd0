"""Names behind an `@`: members of the project, and nobody else."""

import pytest
from django.urls import reverse

from apps.core.models import Membership
from tests.factories import make_house, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def ask(house, query, part="expert"):
    return house.client(part).get(reverse("core:member_search", args=[house.project.slug]), {"q": query})


def names(answer):
    return [row["name"] for row in answer.json()["people"]]


def test_by_name_and_by_address(house):
    assert names(ask(house, "ENGIN")) == [house.engineer.name]
    assert names(ask(house, "viewer-harbour@")) == [house.viewer.name]
    assert len(names(ask(house, ""))) == 5


def test_strangers_are_nobody(house):
    assert names(ask(house, "stranger")) == []
    assert names(ask(house, house.stranger.email)) == []


def test_a_name_that_two_bear_becomes_the_address(house):
    twin = make_user("twin")
    twin.name = house.engineer.name.upper()
    twin.save()
    assert ask(house, "engineer").json()["people"][0]["handle"] == house.engineer.name
    Membership.objects.create(project=house.project, user=twin, role="viewer")
    handles = {row["handle"] for row in ask(house, "engineer").json()["people"]}
    assert handles == {house.engineer.email, twin.email}


def test_who_is_gone_is_not_offered(house):
    house.engineer.is_active = False
    house.engineer.save()
    assert names(ask(house, "engineer")) == []


@pytest.mark.parametrize(("part", "status"), [("viewer", 403), ("stranger", 404), (None, 302)])
def test_who_may_ask(house, part, status):
    assert ask(house, "e", part).status_code == status


def test_odd_questions(house):
    for query in ("%", "_", "\\", "'; --", "x" * 5000):
        assert ask(house, query).status_code == 200
