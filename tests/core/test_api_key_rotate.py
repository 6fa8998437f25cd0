"""A key gets a new secret; the old one works on for a while, and cannot renew itself."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.core.models import ApiKey, AuditEvent
from apps.lms.models import GatewaySnapshot
from tests.factories import bearer, make_house

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def house():
    return make_house()


def rotate(house, part="engineer", grace="24", key=None):
    key = key or ApiKey.objects.get()
    return house.client(part).post(
        reverse("core:api_key_rotate", args=[house.project.slug, key.pk]), {"grace_hours": grace}
    )


def works(house, plain):
    return house.client(None).get(reverse("project-list"), headers=bearer(plain)).status_code == 200


def test_both_keys_work_until_the_grace_has_passed(house):
    old_plain = house.key("engineer")
    answer = rotate(house)
    new_plain = answer.context["fresh"]
    assert answer["Cache-Control"] == "no-store"
    old, new = ApiKey.objects.get(replaced_by__isnull=False), ApiKey.objects.get(replaced_by__isnull=True)
    assert (new.name, new.rights, new.user) == (old.name, old.rights, old.user)
    assert old.replaced_by == new
    assert timedelta(hours=23) < old.expires_at - timezone.now() <= timedelta(hours=24)
    assert works(house, old_plain)
    assert works(house, new_plain)
    ApiKey.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    assert not works(house, old_plain)
    assert works(house, new_plain)
    event = AuditEvent.objects.get(action="api_key.rotate")
    assert event.data == {"successor": new.prefix, "grace_hours": 24.0}
    assert new_plain.rpartition("_")[2] not in str(event.__dict__)
    assert new_plain not in house.client("engineer").get(answer.request["PATH_INFO"]).content.decode()


def test_the_gateway_learns_of_both(house):
    house.key("engineer")
    rotate(house)
    keys = GatewaySnapshot.objects.get(pk=1).body["keys"]
    old, new = ApiKey.objects.get(replaced_by__isnull=False), ApiKey.objects.get(replaced_by__isnull=True)
    assert keys[old.hash]["expires"] == pytest.approx(old.expires_at.timestamp())
    assert keys[new.hash]["expires"] is None
    rotate(house, grace="0", key=new)
    assert new.hash not in GatewaySnapshot.objects.get(pk=1).body["keys"]


def test_without_grace_the_old_one_stops_at_once(house):
    old_plain = house.key("engineer")
    new_plain = rotate(house, grace="0").context["fresh"]
    assert not works(house, old_plain)
    assert works(house, new_plain)


def test_the_grace_never_lengthens_a_life(house):
    house.key("engineer")
    soon = timezone.now() + timedelta(hours=1)
    ApiKey.objects.update(expires_at=soon, created_at=soon - timedelta(days=30))
    rotate(house, grace="168")
    assert ApiKey.objects.get(replaced_by__isnull=False).expires_at == soon
    life = ApiKey.objects.get(replaced_by__isnull=True).expires_at - timezone.now()
    assert timedelta(days=29) < life <= timedelta(days=30)


def test_a_replaced_key_cannot_be_rotated_again(house):
    old_plain = house.key("engineer")
    key = ApiKey.objects.get()
    rotate(house)
    assert rotate(house, key=key).status_code == 409
    url = reverse("api-key-rotate", args=[key.pk])
    again = house.client(None).post(url, {}, content_type=JSON, headers=bearer(old_plain))
    assert again.status_code == 409
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_what_does_not_work_is_not_rotated(house, change):
    house.key("engineer")
    ApiKey.objects.update(**change)
    assert rotate(house).status_code == 409


@pytest.mark.parametrize("grace", ["169", "-1", "soon", ""])
def test_bad_input(house, grace):
    house.key("engineer")
    assert rotate(house, grace=grace).context["form"].errors
    body = {"grace_hours": grace or None}
    url = reverse("api-key-rotate", args=[ApiKey.objects.get().pk])
    assert house.api("engineer").post(url, body, content_type=JSON).status_code == 400
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(("part", "status"), [("owner", 404), ("viewer", 404), ("stranger", 404), (None, 302)])
def test_nobody_else_gets_the_secret(house, part, status):
    house.key("engineer")
    assert rotate(house, part).status_code == status
    assert ApiKey.objects.count() == 1


def test_a_key_rotates_itself_and_no_other(house):
    api = house.api("engineer")
    mine = ApiKey.objects.get()
    answer = api.post(reverse("api-key-rotate", args=[mine.pk]), {"grace_hours": 2}, content_type=JSON)
    assert answer.status_code == 201
    assert works(house, answer.json()["key"])
    assert answer["Cache-Control"] == "no-store"
    other = ApiKey.objects.get(replaced_by__isnull=True)
    assert api.post(reverse("api-key-rotate", args=[other.pk]), {}, content_type=JSON).status_code == 403
    house.key("viewer")
    theirs = ApiKey.objects.get(user=house.viewer)
    assert api.post(reverse("api-key-rotate", args=[theirs.pk]), {}, content_type=JSON).status_code == 404
