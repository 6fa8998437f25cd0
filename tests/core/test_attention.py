"""What the dashboard says needs a look."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core import dashboard
from apps.core.models import ApiKey
from apps.gpucloud.models import Job
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def titles(house, part="owner"):
    return [row.title for row in dashboard.concerns(house.actor(part), house.project)["rows"]]


def test_all_is_well_in_a_new_project(house):
    assert titles(house) == []
    assert "All is well." in house.client().get(f"/p/{house.project.slug}/").content.decode()


def test_failed_jobs_of_the_last_day(house):
    now = timezone.now()
    for name, ended in (("fresh", now), ("old", now - timedelta(days=2))):
        job = Job.objects.create(project=house.project, kind="gpucloud.check", name=name, state="failed")
        Job.objects.filter(pk=job.pk).update(ended_at=ended)
    assert titles(house) == ["fresh"]


def test_keys_that_end_soon_are_told_to_who_may_see_them(house):
    house.key("engineer")
    soon = ApiKey.objects.get()
    ApiKey.objects.filter(pk=soon.pk).update(expires_at=timezone.now() + timedelta(days=2), name="nightly")
    assert titles(house, "engineer") == ["API key “nightly”"]
    assert titles(house, "owner") == ["API key “nightly”"]
    assert titles(house, "viewer") == []
    ApiKey.objects.filter(pk=soon.pk).update(revoked_at=timezone.now())
    assert titles(house, "owner") == []


def test_only_so_many_are_shown(house):
    now = timezone.now()
    for number in range(5):
        job = Job.objects.create(project=house.project, kind="gpucloud.check", name=str(number), state="failed")
        Job.objects.filter(pk=job.pk).update(ended_at=now)
    shown = dashboard.concerns(house.actor(), house.project, limit=3)
    assert (len(shown["rows"]), shown["more"]) == (3, 2)
