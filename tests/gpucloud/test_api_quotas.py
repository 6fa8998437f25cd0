"""`/api/v1/quotas/`: members read what their project may hold and holds; nobody changes it there."""

import pytest
from django.urls import reverse

from apps.gpucloud.models import Quota
from tests.gpucloud.pieces import schedule

pytestmark = pytest.mark.django_db
LISTED = reverse("quota-list")


@pytest.fixture
def quota(house):
    return Quota.objects.create(project=house.project, cpus=8, accelerators=0)


def test_members_read_limits_and_use(house, check, node, quota):
    check(resources={"cpus": 3, "memory_mib": 500})
    schedule()
    expected = {
        "id": str(quota.pk), "project": house.project.slug, "accelerators": 0, "cpus": 8, "memory_mib": None,
        "running_jobs": None, "used": {"accelerators": 0, "cpus": 3, "memory_mib": 500, "running_jobs": 1},
    }  # fmt: skip
    for part in ("viewer", "owner"):
        [row] = house.api(part).get(LISTED, {"project": house.project.slug}).json()["results"]
        assert row.items() >= expected.items()
        assert house.api(part).get(reverse("quota-detail", args=[quota.pk])).json() == row


def test_a_project_without_one_has_none_listed(house):
    assert house.api().get(LISTED).json()["results"] == []


def test_signed_out_and_strangers(house, quota):
    one = reverse("quota-detail", args=[quota.pk])
    for address in (LISTED, one):
        assert house.client(None).get(address).status_code == 401
    assert house.api("stranger").get(LISTED).json()["results"] == []
    assert house.api("stranger").get(one).status_code == 404


@pytest.mark.parametrize("part", ["owner", "engineer"])
def test_nobody_changes_it_here(house, quota, part):
    one, more = reverse("quota-detail", args=[quota.pk]), {"cpus": 4096, "project": house.project.slug}
    for method, address in (("post", LISTED), ("patch", one), ("put", one), ("delete", one)):
        answer = getattr(house.api(part), method)(address, more, content_type="application/json")
        assert answer.status_code == 405
    quota.refresh_from_db()
    assert quota.cpus == 8


def test_it_does_not_come_in_with_a_project_or_a_job(house, quota):
    """Mass assignment: what is not writable is ignored or refused."""
    more = {"cpus": 4096, "accelerators": 64}
    project = reverse("project-detail", args=[house.project.slug])
    owner = house.api()
    answer = owner.patch(project, {"name": "Quay", "quota": more, **more}, content_type="application/json")
    assert answer.status_code == 200
    owner.post(
        reverse("job-list"),
        {"project": house.project.slug, "kind": "gpucloud.check", "quota": more},
        content_type="application/json",
    )
    made = owner.post(
        reverse("project-list"), {"name": "Own", "slug": "own", "quota": more}, content_type="application/json"
    )
    assert made.status_code in {201, 403}
    assert Quota.objects.values_list("cpus", "accelerators").get() == (8, 0)
