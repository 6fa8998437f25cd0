"""Signing in by e-mail, and the other pages of an account."""

import pytest
from django.contrib.auth import get_user
from django.urls import reverse
from redis.exceptions import ConnectionError as RedisGone

from apps.core.models import AuditEvent, User
from tests.factories import PASSWORD, make_house

pytestmark = pytest.mark.django_db
URL = "/account/login/"


@pytest.fixture
def house():
    return make_house()


def test_by_e_mail_and_back_to_the_page_that_was_asked(house):
    client = house.client(None)
    wanted = reverse("core:settings_keys", args=[house.project.slug])
    sign_in = client.get(wanted)["Location"]
    assert wanted in sign_in
    page = client.get(sign_in)
    assert 'name="login"' in page.content.decode()
    answer = client.post(URL, {"login": house.engineer.email, "password": PASSWORD, "next": wanted})
    assert answer["Location"] == wanted
    event = AuditEvent.objects.get(action="user.sign_in")
    assert (event.user, event.ip) == (house.engineer, "127.0.0.1")
    assert get_user(client) == house.engineer


def test_the_address_is_not_case_sensitive(house):
    client = house.client(None)
    client.post(URL, {"login": house.engineer.email.upper(), "password": PASSWORD})
    assert get_user(client) == house.engineer


def test_a_wrong_password_says_so_and_keeps_the_address(house):
    page = house.client(None).post(URL, {"login": house.viewer.email, "password": "wrong password"})
    assert page.status_code == 200
    assert house.viewer.email in page.content.decode()
    assert "field-error" in page.content.decode() or "notice" in page.content.decode()


def test_a_closed_account_cannot_sign_in(house):
    User.objects.update(is_active=False)
    client = house.client(None)
    client.post(URL, {"login": house.viewer.email, "password": PASSWORD})
    assert not get_user(client).is_authenticated


def test_it_leads_nowhere_else(house):
    answer = house.client(None).post(
        URL, {"login": house.viewer.email, "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert "evil" not in answer["Location"]


def test_signing_in_works_while_redis_is_away(house, monkeypatch):
    from django.core.cache.backends.redis import RedisCacheClient

    def gone(*args, **kwargs):
        raise RedisGone("gone")

    for name in ("get", "set", "add", "incr", "get_many", "set_many", "delete", "has_key"):
        monkeypatch.setattr(RedisCacheClient, name, gone)
    client = house.client(None)
    client.post(URL, {"login": house.viewer.email, "password": PASSWORD})
    assert get_user(client) == house.viewer
    wrong = house.client(None).get(reverse("project-list"), headers={"Authorization": "Bearer aifs_aaaaaaaa_wrong"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    "name", ["account_logout", "account_change_password", "mfa_index", "account_reauthenticate", "mfa_activate_totp"]
)
def test_pages_of_an_account_open_in_our_frame(house, name):
    client = house.client(None)
    client.post(URL, {"login": house.viewer.email, "password": PASSWORD})
    page = client.get(reverse(name), follow=True)
    assert page.status_code == 200
    assert 'class="plain-card"' in page.content.decode()
    assert "style=" not in page.content.decode().replace('class="', "")


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
def test_pages_for_who_is_not_signed_in(house, name):
    page = house.client(None).get(reverse(name))
    assert page.status_code == 200
    assert 'class="plain-card"' in page.content.decode()


def test_signing_out(house):
    client = house.client("viewer")
    client.post(reverse("account_logout"))
    assert not get_user(client).is_authenticated


def test_changing_the_password_signs_other_sessions_out(house):
    client, other = house.client(None), house.client("viewer")
    client.post(URL, {"login": house.viewer.email, "password": PASSWORD})
    new = "another one that is long 9"
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new})
    house.viewer.refresh_from_db()
    assert house.viewer.check_password(new)
    assert not get_user(other).is_authenticated
