"""`gpucloud:node_list`."""

import pytest
from django.urls import reverse

from apps.gpucloud.models import Job
from tests.gpucloud.pieces import gpu, make_node, schedule

pytestmark = pytest.mark.django_db


def test_devices_and_who_uses_them(house, check):
    make_node("north", [gpu(0), gpu(1)])
    job = check(name="hungry", resources={"accelerators": 1})
    schedule()
    assert Job.objects.get(pk=job.pk).state == "scheduled"
    url = reverse("gpucloud:node_list", args=[house.project.slug])
    page = house.client("viewer").get(url).content.decode()
    assert "north" in page and "A100" in page and "hungry" in page
    other = reverse("gpucloud:node_list", args=[house.other_project.slug])
    seen = house.client("stranger").get(other).content.decode()
    assert "north" in seen and "hungry" not in seen


def test_who_may_see_it(house):
    url = reverse("gpucloud:node_list", args=[house.project.slug])
    assert house.client(None).get(url).status_code == 302
    assert house.client("stranger").get(url).status_code == 404
