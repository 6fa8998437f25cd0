"""Signing in by e-mail, and the other pages of an account."""

import pytest
from django.contrib.auth import get_user
from django.test import Client
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
    ("name", "sign"),
    [
        ("account_logout", 'class="plain-card"'),
        ("account_reauthenticate", 'class="plain-card"'),
        ("account_change_password", 'class="tabs-line"'),
        ("mfa_index", 'class="tabs-line"'),
        ("mfa_activate_totp", 'class="plain-card"'),  # asks for the password first
    ],
)
def test_pages_of_an_account_open_in_our_frame(house, name, sign):
    client = house.client(None)
    client.post(URL, {"login": house.viewer.email, "password": PASSWORD})
    page = client.get(reverse(name), follow=True)
    assert page.status_code == 200
    assert sign in page.content.decode()
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


def test_guessing_ends_in_429_for_this_account_from_this_address_only(house):
    client = house.client(None)
    statuses = [client.post(URL, {"login": house.viewer.email, "password": "wrong"}).status_code for _try in range(6)]
    assert statuses == [200] * 5 + [429]
    refused = client.post(URL, {"login": house.viewer.email, "password": PASSWORD}, headers={"Accept": "text/html"})
    assert refused.status_code == 429
    assert refused["Retry-After"] == "300"
    as_program = client.post(
        URL, {"login": house.viewer.email, "password": PASSWORD}, headers={"Accept": "application/json"}
    )
    assert as_program["Content-Type"] == "application/problem+json"
    assert as_program.json()["code"] == "throttled"
    elsewhere = Client(REMOTE_ADDR="203.0.113.20")
    elsewhere.post(URL, {"login": house.viewer.email, "password": PASSWORD})
    assert get_user(elsewhere) == house.viewer
    assert AuditEvent.objects.filter(action="user.sign_in_failed", data__email=house.viewer.email).count() == 5


def test_an_account_is_slowed_down_from_many_addresses_too(house, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/5m/key", "login_failed_account": "3/h/key"}
    statuses = [
        Client(REMOTE_ADDR=f"203.0.113.{number}")
        .post(URL, {"login": house.viewer.email, "password": "wrong"})
        .status_code
        for number in range(4)
    ]
    assert statuses == [200, 200, 200, 429]


def test_known_and_unknown_addresses_cost_the_same_hashing(house, monkeypatch):
    from django.contrib.auth.hashers import MD5PasswordHasher

    counted = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *given: counted.append(1) or encode(*given))
    costs = []
    for email in (house.viewer.email, "nobody@example.com"):
        counted.clear()
        house.client(None).post(URL, {"login": email, "password": "wrong password"})
        costs.append(len(counted))
    assert costs[0] == costs[1] > 0


def test_too_many_resets_are_429_for_everybody_alike(house):
    url = reverse("account_reset_password")
    for email in (house.viewer.email, "nobody@example.com"):
        client = Client(REMOTE_ADDR="203.0.113.30" if email == house.viewer.email else "203.0.113.31")
        assert [client.post(url, {"email": email}).status_code for _try in range(6)] == [302] * 5 + [429]


def test_a_mail_server_that_is_away_tells_nobody_who_exists(house, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    url = reverse("account_reset_password")
    for email in (house.viewer.email, "nobody@example.com"):
        assert house.client(None).post(url, {"email": email}).status_code == 302


def test_operators_sign_in_at_the_same_door(house):
    answer = house.client(None).get(reverse("admin:index"), follow=True)
    assert answer.redirect_chain[-1][0].startswith(URL)
    assert house.client("owner").get(reverse("admin:login")).status_code == 403


def test_the_address_of_an_account_cannot_be_changed_unproved(house):
    client = house.client("viewer")
    answer = client.post(reverse("account_email"), {"email": "other@example.com", "action_add": ""})
    assert answer["Location"] == reverse("core:settings_profile")
    house.viewer.refresh_from_db()
    assert house.viewer.email.startswith("viewer")
