"""A new link in place of the one before, with a week of its own."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.core.models import AuditEvent, Invitation
from apps.core.services import invite_member
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def invited(house):
    return invite_member(house.actor(), house.project, "new@example.com", "expert")


def resend(house, part, invitation):
    return house.client(part).post(reverse("core:invitation_resend", args=[house.project.slug, invitation.pk]))


def test_the_old_link_stops_and_the_new_one_works(house, invited):
    invitation, token = invited
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    answer = resend(house, "owner", invitation)
    link = answer.context["link"]
    assert answer["Cache-Control"] == "no-store"
    assert house.client(None).get(reverse("core:invitation_open", args=[token])).status_code == 404
    assert house.client(None).get(link).status_code == 302
    invitation.refresh_from_db()
    assert invitation.expires_at > timezone.now() + timedelta(days=6)
    assert AuditEvent.objects.filter(action="invitation.resend").exists()


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not(house, invited, part, status):
    assert resend(house, part, invited[0]).status_code == status


def test_an_accepted_one_is_gone(house, invited):
    Invitation.objects.update(accepted_at=timezone.now())
    assert resend(house, "owner", invited[0]).status_code == 404


def test_looking_sends_nothing(house, invited):
    url = reverse("core:invitation_resend", args=[house.project.slug, invited[0].pk])
    assert house.client("owner").get(url).status_code == 405
