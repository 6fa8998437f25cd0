"""An owner takes an invitation back."""

import pytest
from django.urls import reverse

from apps.core.models import Invitation
from apps.core.services import invite_member
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def invitation(house):
    return invite_member(house.actor(), house.project, "new@example.com", "expert")[0]


def withdraw(house, part, invitation):
    return house.client(part).post(reverse("core:invitation_withdraw", args=[house.project.slug, invitation.pk]))


def test_it_is_gone(house, invitation):
    assert withdraw(house, "owner", invitation).status_code == 302
    assert not Invitation.objects.exists()
    assert withdraw(house, "owner", invitation).status_code == 404


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not(house, invitation, part, status):
    assert withdraw(house, part, invitation).status_code == status
    assert Invitation.objects.exists()


def test_not_through_another_project(house, invitation):
    url = reverse("core:invitation_withdraw", args=[house.other_project.slug, invitation.pk])
    assert house.client("stranger").post(url).status_code == 404
