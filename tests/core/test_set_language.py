"""The language follows the person, else the cookie, else the browser."""

import pytest
from django.urls import reverse

from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def language_of(answer):
    return answer["Content-Language"]


def test_signed_in_it_is_kept_with_the_account(house):
    client = house.client("expert")
    client.post(reverse("set_language"), {"language": "zh-hans", "next": "/account/profile/"})
    house.expert.refresh_from_db()
    assert house.expert.language == "zh-hans"
    assert language_of(client.get(reverse("core:settings_profile"))) == "zh-hans"


def test_signed_out_it_is_a_cookie(house):
    client = house.client(None)
    client.post(reverse("set_language"), {"language": "zh-hans"})
    assert language_of(client.get(reverse("account_login"))) == "zh-hans"


def test_else_the_browser_decides(house):
    answer = house.client(None).get(reverse("account_login"), headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert language_of(answer) == "zh-hans"


def test_signing_in_brings_ones_language_along(house):
    house.expert.language = "zh-hans"
    house.expert.save()
    client = house.client(None)
    client.post(reverse("account_login"), {"login": house.expert.email, "password": "long enough to pass 7"})
    assert language_of(client.get(reverse("core:settings_profile"))) == "zh-hans"


def test_the_first_sign_in_keeps_the_language_of_its_page(house):
    """And only the first: later the account's own counts, whatever the browser asks for."""
    words = {"login": house.expert.email, "password": "long enough to pass 7"}
    for asked in ("zh-CN,zh;q=0.9", "en"):
        client = house.client(None)
        client.post(reverse("account_login"), words, headers={"Accept-Language": asked})
        assert language_of(client.get(reverse("core:settings_profile"))) == "zh-hans"
    house.expert.refresh_from_db()
    assert house.expert.language == "zh-hans"


def test_an_unknown_language_is_refused(house):
    assert house.client().post(reverse("set_language"), {"language": "tlh"}).status_code == 400


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_it_leads_nowhere_else(house, target):
    answer = house.client().post(reverse("set_language"), {"language": "en", "next": target})
    assert answer["Location"] == "/"
