"""A revoked key stops working at once."""

import pytest
from django.urls import reverse

from apps.core import key_changes
from apps.core.models import ApiKey, AuditEvent
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def revoke(house, part, key):
    return house.client(part).post(reverse("core:api_key_revoke", args=[house.project.slug, key.pk]))


def test_ones_own_key(house):
    api = house.api("expert")
    assert api.get(reverse("project-list")).status_code == 200
    assert revoke(house, "expert", ApiKey.objects.get()).status_code == 302
    assert api.get(reverse("project-list")).status_code == 401
    assert AuditEvent.objects.filter(action="api_key.revoke").exists()


def test_owners_revoke_others(house):
    house.key("expert")
    assert revoke(house, "owner", ApiKey.objects.get()).status_code == 302
    assert ApiKey.objects.get().revoked_at


@pytest.mark.parametrize("part", ["engineer", "stranger"])
def test_others_do_not_find_it(house, part):
    house.key("expert")
    assert revoke(house, part, ApiKey.objects.get()).status_code == 404
    assert not ApiKey.objects.get().revoked_at


def test_twice_is_a_conflict(house):
    house.key("expert")
    key = ApiKey.objects.get()
    revoke(house, "expert", key)
    assert revoke(house, "expert", key).status_code == 409


def test_a_copy_that_fails_keeps_the_key_alive(house, monkeypatch):
    house.key("expert")

    def fail():
        raise RuntimeError("no copy")

    monkeypatch.setattr(key_changes, "_callbacks", [fail])
    client = house.client("expert")
    client.raise_request_exception = False
    key = ApiKey.objects.get()
    assert client.post(reverse("core:api_key_revoke", args=[house.project.slug, key.pk])).status_code == 500
    assert not ApiKey.objects.get().revoked_at


def test_reading_it_revokes_nothing(house):
    house.key("expert")
    url = reverse("core:api_key_revoke", args=[house.project.slug, ApiKey.objects.get().pk])
    assert house.client("expert").get(url).status_code == 405
