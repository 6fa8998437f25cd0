"""Where one is signed in; signing out there (`session_end`) and everywhere else (`session_end_others`)."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.devices import device
from apps.core.models import AuditEvent
from apps.core.services.housekeeping import tidy
from tests.factories import PASSWORD, make_house

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
URL = "core:session_list"


@pytest.fixture
def house():
    return make_house()


def signed_in(house, ip, part="expert", agent=FIREFOX):
    client = Client(REMOTE_ADDR=ip, headers={"User-Agent": agent})
    client.post(reverse("account_login"), {"login": house.user(part).email, "password": PASSWORD})
    return client


def test_every_session_with_device_and_address_this_one_first(house):
    signed_in(house, "203.0.113.1")
    here = signed_in(house, "203.0.113.2")
    rows = here.get(reverse(URL)).context["rows"]
    assert [(row["device"], row["session"].ip, row["here"]) for row in rows] == [
        ("Firefox · Linux", "203.0.113.2", True),
        ("Firefox · Linux", "203.0.113.1", False),
    ]


def test_the_last_use_is_noted(house):
    client = signed_in(house, "203.0.113.1")
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=1))
    cache.clear()  # signing in noted it for this minute
    client.get(reverse(URL), REMOTE_ADDR="203.0.113.9")
    row = UserSession.objects.get()
    assert row.last_seen_at > timezone.now() - timedelta(minutes=1)
    assert row.ip == "203.0.113.9"
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=1))
    client.get(reverse(URL))
    assert UserSession.objects.get().last_seen_at < timezone.now() - timedelta(hours=1), "noted more than once a minute"


def test_one_session_is_ended(house):
    there, here = signed_in(house, "203.0.113.1"), signed_in(house, "203.0.113.2")
    row = UserSession.objects.get(ip="203.0.113.1")
    assert here.post(reverse("core:session_end", args=[row.pk])).status_code == 302
    assert not get_user(there).is_authenticated
    assert get_user(here) == house.expert
    assert AuditEvent.objects.get(action="session.end").data == {"ip": "203.0.113.1"}


def test_all_others_are_ended(house):
    others = [signed_in(house, f"203.0.113.{number}") for number in (1, 3)]
    here = signed_in(house, "203.0.113.2")
    here.post(reverse("core:session_end_others"))
    assert not any(get_user(client).is_authenticated for client in others)
    assert get_user(here) == house.expert
    assert AuditEvent.objects.get(action="session.end_others").data == {"count": 2}


def test_somebody_elses_session_is_not_found(house):
    theirs, mine = signed_in(house, "203.0.113.1", "owner"), signed_in(house, "203.0.113.2")
    row = UserSession.objects.get(ip="203.0.113.1")
    assert mine.post(reverse("core:session_end", args=[row.pk])).status_code == 404
    assert get_user(theirs) == house.owner


@pytest.mark.parametrize(("name", "args"), [("session_list", []), ("session_end", [1]), ("session_end_others", [])])
def test_signed_out(house, name, args):
    answer = house.client(None).post(reverse(f"core:{name}", args=args))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize(("name", "args"), [("session_end", [1]), ("session_end_others", [])])
def test_looking_ends_nothing(house, name, args):
    assert signed_in(house, "203.0.113.1").get(reverse(f"core:{name}", args=args)).status_code == 405


def test_rows_of_ended_sessions_are_tidied_away(house):
    client = signed_in(house, "203.0.113.1")
    client.session.delete(client.session.session_key)
    tidy()
    assert not UserSession.objects.exists()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox · Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0", "Edge · Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari · iPhone"),
        ("curl/8.5", "curl"),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ],
)
def test_devices_in_words(agent, words):
    assert device(agent) == words
