"""Keys are made here, and shown once."""

import pytest
from django.urls import reverse

from apps.core import key_changes
from apps.core.models import ApiKey, AuditEvent
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def url(house):
    return reverse("core:settings_keys", args=[house.project.slug])


def make(house, part="engineer", **fields):
    data = {"name": "nightly", "rights": ["view", "run"], "days": "30"} | fields
    return house.client(part).post(url(house), data)


def test_a_new_key_is_shown_once_and_works(house):
    answer = make(house)
    plain = answer.context["fresh"]
    key = ApiKey.objects.get()
    assert plain.startswith(f"aifs_{key.prefix}_")
    assert plain in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    assert plain not in house.client("engineer").get(url(house)).content.decode()
    assert plain not in str(key.__dict__)
    assert key.rights == ["view", "run"]
    assert key.expires_at is not None
    assert AuditEvent.objects.filter(action="api_key.create", user=house.engineer).exists()
    got = house.client(None).get(reverse("project-list"), headers={"Authorization": f"Bearer {plain}"})
    assert [row["slug"] for row in got.json()["results"]] == [house.project.slug]


def test_no_end_is_possible(house):
    make(house, days="0")
    assert ApiKey.objects.get().expires_at is None


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"rights": []}, {"days": "-1"}, {"rights": ["fly"]}, {"rights": ["manage"]}]
)
def test_bad_input_stands_beside_the_field(house, fields):
    answer = make(house, **fields)
    assert list(answer.context["form"].errors) == list(fields)
    assert not ApiKey.objects.exists()


def test_owners_see_all_keys_others_their_own(house):
    house.key("engineer")
    house.key("viewer")
    assert len(house.client("owner").get(url(house)).context["rows"]) == 2
    assert [key.user for key in house.client("viewer").get(url(house)).context["rows"]] == [house.viewer]


@pytest.mark.parametrize(("part", "status"), [("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert house.client(part).get(url(house)).status_code == status
    assert make(house, part).status_code == status


def test_who_keeps_a_copy_is_told(house, monkeypatch):
    told = []
    monkeypatch.setattr(key_changes, "_callbacks", [lambda: told.append(1)])
    make(house)
    assert told == [1]
