"""`gpucloud:cluster`: what stands above the list of nodes."""

import pytest
from django.urls import reverse

from apps.gpucloud import selectors
from apps.gpucloud.models import NodeState
from tests.gpucloud.pieces import gpu, make_node, schedule

pytestmark = pytest.mark.django_db


def test_the_list_of_nodes_asks_for_it(house):
    page = house.client("viewer").get(reverse("gpucloud:node_list", args=[house.project.slug])).content.decode()
    assert f'hx-get="{reverse("gpucloud:cluster", args=[house.project.slug])}"' in page


def test_who_may_see_it(house):
    url = reverse("gpucloud:cluster", args=[house.project.slug])
    assert house.client("viewer").get(url).status_code == 200
    assert house.client(None).get(url).status_code == 302
    assert house.client("stranger").get(url).status_code == 404


def test_why_the_queue_waits(house, check):
    """With what each job asks for; another project's jobs are only counted."""
    make_node("north", [gpu(0)])
    check(name="greedy", resources={"accelerators": 4})
    check(name="modest", resources={"cpus": 1})
    schedule()
    answer = house.client("viewer").get(reverse("gpucloud:cluster", args=[house.project.slug]))
    assert [row["title"] for row in answer.context["queue"]["rows"]] == ["greedy"]
    page = answer.content.decode()
    assert "4 accelerators" in page and "no node has so many" in page
    other = reverse("gpucloud:cluster", args=[house.other_project.slug])
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
    assert found["cpus"] == lost.lendable_cpus == 2 * lost.cpus
