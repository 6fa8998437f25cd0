"""The code of a second factor: turned on with an app, asked at sign-in, turned off after proving who one is."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth import get_user
from django.urls import reverse

from apps.core.models import AuditEvent
from tests.factories import PASSWORD, make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def signed_in(house, part="engineer"):
    client = house.client(None)
    client.post(reverse("account_login"), {"login": house.user(part).email, "password": PASSWORD})
    return client


def code(secret, steps=0):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def turn_on(client):
    """Returns the secret of the app and the recovery codes that were shown."""
    assert "reauthenticate" in client.get(reverse("mfa_activate_totp"))["Location"]
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    shown = client.post(reverse("mfa_activate_totp"), {"code": code(secret)}, follow=True)
    return secret, shown.context["unused_codes"], page


def test_turning_it_on_shows_a_picture_and_the_recovery_codes_once(house, django_capture_on_commit_callbacks):
    client = signed_in(house)
    with django_capture_on_commit_callbacks(execute=True):
        secret, codes, page = turn_on(client)
    html = page.content.decode()
    assert re.search(r'<img[^>]+src="data:image/svg\+xml;base64,', html)
    assert secret in html
    assert len(codes) == 10
    assert not set(codes) & {"****"}
    again = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert not [one for one in codes if one in again]
    actions = set(AuditEvent.objects.filter(user=house.engineer).values_list("action", flat=True))
    assert {"user.sign_in", "user.add_authenticator"} <= actions


def test_seeds_are_sealed_in_the_database(house):
    secret, codes, _page = turn_on(signed_in(house))
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert not [one for one in codes if one in stored]


def test_signing_in_asks_for_the_code(house):
    secret, _codes, _page = turn_on(signed_in(house))
    client = signed_in(house)
    assert not get_user(client).is_authenticated
    assert client.get(reverse("home")).status_code == 302
    page = client.get(reverse("mfa_authenticate"))
    assert page.status_code == 200
    assert 'class="plain-card"' in page.content.decode()
    wrong = client.post(reverse("mfa_authenticate"), {"code": "nothing"})
    assert wrong.status_code == 200
    assert not get_user(client).is_authenticated
    client.post(reverse("mfa_authenticate"), {"code": code(secret)})
    assert get_user(client) == house.engineer


def test_a_recovery_code_works_once(house):
    _secret, codes, _page = turn_on(signed_in(house))
    first = signed_in(house)
    first.post(reverse("mfa_authenticate"), {"code": codes[0]})
    assert get_user(first) == house.engineer
    second = signed_in(house)
    second.post(reverse("mfa_authenticate"), {"code": codes[0]})
    assert not get_user(second).is_authenticated


def test_guessing_codes_ends_in_429(house):
    turn_on(signed_in(house))
    client = signed_in(house)
    statuses = [client.post(reverse("mfa_authenticate"), {"code": f"none {n}"}).status_code for n in range(6)]
    assert statuses[-1] == 429
    assert not get_user(client).is_authenticated


def test_turning_it_off_needs_proof(house):
    _secret, codes, _page = turn_on(signed_in(house))
    client = signed_in(house)
    client.post(reverse("mfa_authenticate"), {"code": codes[0]})
    asked = client.post(reverse("mfa_deactivate_totp"))
    assert "reauthenticate" in asked["Location"]
    assert Authenticator.objects.filter(user=house.engineer, type="totp").exists()
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.filter(user=house.engineer).exists()
    assert AuditEvent.objects.filter(action="user.remove_authenticator", user=house.engineer).exists()


@pytest.mark.parametrize("name", ["mfa_index", "mfa_activate_totp", "mfa_view_recovery_codes"])
def test_nobody_else_gets_there(house, name):
    answer = house.client(None).get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", ["mfa_index", "mfa_activate_totp"])
def test_in_chinese(house, name):
    client = signed_in(house)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("set_language"), {"language": "zh-hans"})
    assert "两步验证" in client.get(reverse(name)).content.decode()
