"""`gpucloud:cluster`: what stands above the list of nodes."""

import pytest
from django.urls import reverse

from apps.gpucloud import selectors
from apps.gpucloud.models import NodeState, Quota
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
    found = selectors.cluster(selectors.list_held())
    assert (found["nodes"], found["ready"], found["cards"]) == (2, 1, 2)
    assert found["cpus"] == lost.lendable_cpus == 2 * lost.cpus


def seen_by(house, part):
    project = house.other_project if part == "stranger" else house.project
    return house.client(part).get(reverse("gpucloud:cluster", args=[project.slug]))


def test_members_see_the_projects_quota_and_use(house, check, node):
    quota = Quota.objects.create(project=house.project, cpus=4, memory_mib=2048, accelerators=0)
    check(resources={"cpus": 3, "memory_mib": 1024})
    check(name="waits", resources={"cpus": 2})
    schedule()
    for part in ("viewer", "owner"):
        answer = seen_by(house, part)
        rows = {row["name"]: (row["used"], row["limit"], row["over"]) for row in answer.context["quota"]}
        assert rows == {
            "cpus": (3, 4, False), "memory_mib": (1024, 2048, False), "accelerators": (0, 0, False),
            "running_jobs": (1, None, False),
        }  # fmt: skip
        page = answer.content.decode()
        assert 'value="3" max="4"' in page and "no limit" in page and "3 of 4 cores" in page
    quota.cpus = 2
    quota.save()
    page = seen_by(house, "viewer").content.decode()
    assert "what runs goes on, nothing new starts" in page


def test_without_a_quota_nothing_is_said_of_one(house):
    Quota.objects.create(project=house.project, cpus=4)
    answer = seen_by(house, "stranger")
    assert answer.context["quota"] == [] and "quota-title" not in answer.content.decode()


def test_it_asks_few_questions_with_a_quota_too(house, check, node, django_assert_max_num_queries):
    Quota.objects.create(project=house.project, cpus=1)
    for _ in range(3):
        check()
    schedule()
    client = house.client("owner")
    address = reverse("gpucloud:cluster", args=[house.project.slug])
    client.get(address)
    with django_assert_max_num_queries(8):
        client.get(address)
