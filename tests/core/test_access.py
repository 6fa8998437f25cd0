"""Roles give rights; a key gives at most those."""

from itertools import pairwise

import pytest

from apps.core.access import RIGHTS, ROLE_RIGHTS, Actor
from apps.core.errors import NotAllowed, NotFound
from apps.core.models import ApiKey, Role
from tests.factories import make_house, make_key, make_user

pytestmark = pytest.mark.django_db


def test_each_role_has_its_rights_and_no_other():
    house = make_house()
    for role, rights in ROLE_RIGHTS.items():
        actor = house.actor(role)
        assert {right for right in RIGHTS if actor.may(right, house.project)} == rights


def test_rights_grow_from_viewer_to_owner():
    chain = [Role.VIEWER, Role.EXPERT, Role.DATA_SCIENTIST, Role.ENGINEER, Role.OWNER]
    for lower, higher in pairwise(chain):
        assert ROLE_RIGHTS[lower] < ROLE_RIGHTS[higher]


def test_a_stranger_finds_nothing():
    house = make_house()
    with pytest.raises(NotFound):
        house.actor("stranger").require("view", house.project)
    assert house.project not in house.actor("stranger").projects()


def test_a_member_without_the_right_is_told_so():
    house = make_house()
    with pytest.raises(NotAllowed):
        house.actor("viewer").require("run", house.project)


def test_a_superuser_is_a_stranger_too():
    house = make_house()
    operator = make_user("operator", is_superuser=True, is_staff=True)
    assert not Actor(operator).may("view", house.project)


def test_a_key_is_limited_to_its_project_and_rights():
    house = make_house()
    make_key(house.owner, house.project, ["view", "run"])
    actor = Actor(house.owner, ApiKey.objects.get())
    assert actor.may("run", house.project)
    assert not actor.may("manage", house.project)
    assert list(actor.projects()) == [house.project]
    assert not actor.may("view", house.other_project)


def test_an_unknown_right_is_a_bug():
    house = make_house()
    with pytest.raises(ValueError):
        house.actor().may("fly", house.project)


def test_an_inactive_person_has_no_rights():
    house = make_house()
    house.owner.is_active = False
    assert not Actor(house.owner).projects().exists()
