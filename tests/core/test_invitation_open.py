"""Signing up is by invitation only."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.core.models import Invitation, Membership, User
from apps.core.services import invite_member
from tests.factories import PASSWORD, make_house, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def link(house):
    _invitation, token = invite_member(house.actor(), house.project, "new@example.com", "expert")
    return reverse("core:invitation_open", args=[token])


def sign_up(client, email="new@example.com", password=PASSWORD):
    return client.post(reverse("account_signup"), {"email": email, "password1": password, "password2": password})


def test_the_invited_person_signs_up_and_is_in(house, link):
    client = house.client(None)
    assert client.get(link)["Location"] == reverse("account_signup")
    assert client.get(reverse("account_signup")).status_code == 200
    assert sign_up(client).status_code == 302
    user = User.objects.get(email="new@example.com")
    assert Membership.objects.get(user=user, project=house.project).role == "expert"
    assert client.get(reverse("core:settings_keys", args=[house.project.slug])).status_code == 200
    assert house.client(None).get(link).status_code == 404


def test_the_language_of_the_page_becomes_that_of_the_account(house, link):
    client = house.client(None)
    client.get(link, headers={"accept-language": "zh-CN"})
    assert client.get(reverse("account_signup"), headers={"accept-language": "zh-CN"}).status_code == 200
    url, data = reverse("account_signup"), {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(url, data, headers={"accept-language": "zh-CN"}).status_code == 302
    assert User.objects.get(email="new@example.com").language == "zh-hans"
    page = client.get(reverse("core:dashboard", args=[house.project.slug]), headers={"accept-language": "en"})
    assert page.headers["Content-Language"] == "zh-hans"


def test_somebody_with_an_account_joins_at_once(house, link):
    user = make_user("new")
    house.stranger = user
    answer = house.client("stranger").get(link)
    assert answer["Location"] == reverse("core:dashboard", args=[house.project.slug])
    assert Membership.objects.filter(user=user, project=house.project).exists()


def test_signing_in_after_opening_the_link_joins_too(house, link):
    user = make_user("new")
    client = house.client(None)
    client.get(link)
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert Membership.objects.filter(user=user, project=house.project).exists()


def test_it_is_for_one_address_only(house, link):
    client = house.client(None)
    client.get(link)
    assert sign_up(client, "other@example.com").status_code == 200
    assert not User.objects.filter(email="other@example.com").exists()
    assert house.client("stranger").get(link).status_code == 404
    assert not Membership.objects.filter(user=house.stranger, project=house.project).exists()


def test_without_an_invitation_nobody_signs_up(house):
    assert sign_up(house.client(None)).status_code == 200
    assert not User.objects.filter(email="new@example.com").exists()


def test_it_ends_after_its_time(house, link):
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert house.client(None).get(link).status_code == 404


def test_a_weak_password_is_refused(house, link):
    client = house.client(None)
    client.get(link)
    sign_up(client, password="short")
    assert not User.objects.filter(email="new@example.com").exists()
