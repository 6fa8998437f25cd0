"""`gpucloud:node_list`."""

import pytest
from django.urls import reverse

from apps.gpucloud import selectors
from apps.gpucloud.models import Job, NodeState
from tests.gpucloud.pieces import gpu, make_node, schedule

pytestmark = pytest.mark.django_db


def test_devices_and_who_uses_them(house, check):
    make_node("north", [gpu(0), gpu(1)])
    job = check(name="busy", resources={"accelerators": 1})
    schedule()
    assert Job.objects.get(pk=job.pk).state == "scheduled"
    url = reverse("gpucloud:node_list", args=[house.project.slug])
    page = house.client("viewer").get(url).content.decode()
    assert "north" in page and "A100" in page and "busy" in page
    other = reverse("gpucloud:node_list", args=[house.other_project.slug])
    seen = house.client("stranger").get(other).content.decode()
    assert "north" in seen and "busy" not in seen


def test_who_may_see_it(house):
    url = reverse("gpucloud:node_list", args=[house.project.slug])
    assert house.client(None).get(url).status_code == 302
    assert house.client("stranger").get(url).status_code == 404


def test_why_the_queue_waits(house, check):
    """With what each job asks for; another project's jobs are only counted."""
    make_node("north", [gpu(0)])
    check(name="greedy", resources={"accelerators": 4})
    check(name="modest", resources={"cpus": 1})
    schedule()
    answer = house.client("viewer").get(reverse("gpucloud:node_list", args=[house.project.slug]))
    assert [row["title"] for row in answer.context["queue"]["rows"]] == ["greedy"]
    page = answer.content.decode()
    assert "4 accelerators" in page and "no node has so many" in page
    other = reverse("gpucloud:node_list", args=[house.other_project.slug])
    seen = house.client("stranger").get(other)
    assert seen.context["cluster"]["waiting"] == 1 and not seen.context["queue"]["rows"]
    assert "greedy" not in seen.content.decode()


def test_figures_leave_out_lost_nodes(house):
    make_node("north", [gpu(0), gpu(1)])
    lost = make_node("south", [gpu(0)])
    lost.state = NodeState.LOST
    lost.save()
    found = selectors.cluster()
    assert (found["nodes"], found["ready"], found["cards"]) == (2, 1, 2)
    assert found["cpus"] == lost.cpus
