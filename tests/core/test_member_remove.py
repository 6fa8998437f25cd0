"""Owners remove members; everybody may leave."""

import pytest
from django.urls import reverse

from apps.core.models import Membership
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def remove(house, part, user):
    member = Membership.objects.get(project=house.project, user=user)
    status = house.client(part).post(reverse("core:member_remove", args=[house.project.slug, member.pk])).status_code
    return status, Membership.objects.filter(pk=member.pk).exists()


def test_an_owner_removes_a_member_whose_keys_stop(house):
    api = house.api("expert")
    assert remove(house, "owner", house.expert) == (302, False)
    assert api.get(reverse("project-list")).json()["results"] == []


def test_everybody_may_leave(house):
    assert remove(house, "viewer", house.viewer) == (302, False)


def test_the_last_owner_stays(house):
    assert remove(house, "owner", house.owner) == (409, True)


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert remove(house, part, house.viewer) == (status, True)


def test_an_unknown_member_is_not_found(house):
    url = reverse("core:member_remove", args=[house.project.slug, house.project.pk])
    assert house.client().post(url).status_code == 404
