"""Owners change roles; a project keeps an owner."""

import pytest
from django.urls import reverse

from apps.core import key_changes
from apps.core.models import Membership
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def change(house, part, user, role):
    member = Membership.objects.get(project=house.project, user=user)
    answer = house.client(part).post(
        reverse("core:member_change_role", args=[house.project.slug, member.pk]), {"role": role}
    )
    member.refresh_from_db()
    return answer.status_code, member.role


def test_an_owner_changes_a_role_and_keys_follow(house, monkeypatch):
    told = []
    monkeypatch.setattr(key_changes, "_callbacks", [lambda: told.append(1)])
    assert change(house, "owner", house.viewer, "engineer") == (302, "engineer")
    assert told


def test_the_last_owner_stays_owner(house):
    assert change(house, "owner", house.owner, "viewer") == (409, "owner")


def test_one_of_two_owners_may_step_back(house):
    change(house, "owner", house.engineer, "owner")
    assert change(house, "engineer", house.owner, "viewer") == (302, "viewer")


def test_an_unknown_role_is_refused(house):
    assert change(house, "owner", house.viewer, "king") == (400, "viewer")


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("viewer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert change(house, part, house.viewer, "owner") == (status, "viewer")
