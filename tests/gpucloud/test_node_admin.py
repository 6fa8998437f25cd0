"""The operators' desk for nodes and jobs: what is done to the chosen rows."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from apps.core.models import AuditEvent
from apps.gpucloud.models import Attempt, JobState, Node, NodeState
from tests.factories import House, make_user
from tests.gpucloud.pieces import fresh, make_node, schedule, started

pytestmark = pytest.mark.django_db
NODES = reverse("admin:gpucloud_node_changelist")
JOBS = reverse("admin:gpucloud_job_changelist")


def act(client: Client, action: str, *chosen: Any, page: str = NODES, language: str = "en") -> Any:
    data = {"action": action, "_selected_action": [row.pk for row in chosen]}
    return client.post(page, data, headers={"accept-language": language})


def states() -> dict[str, str]:
    return dict(Node.objects.values_list("name", "state"))


def told() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(action__regex="^(node|job)").exclude(action="job.submit").order_by("at")
    return [(row.action, row.object_name) for row in rows]


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_a_cordoned_node_keeps_its_run_and_takes_no_more(admin_client: Client, house: House, check: Any) -> None:
    north = make_node("north")
    job = check()
    schedule()
    claim = started(job)
    assert act(admin_client, "cordon", north).status_code == 302
    later = check()
    schedule()
    assert states() == {"north": NodeState.CORDONED}
    assert (fresh(job).state, fresh(later).state) == (JobState.RUNNING, JobState.QUEUED)
    assert claim.attempt_id in Attempt.objects.filter(state__in=Attempt.ACTIVE).values_list("pk", flat=True)
    act(admin_client, "make_ready", north)
    assert (schedule().placed, states()) == (1, {"north": NodeState.READY})
    assert told() == [("node.cordoned", "north"), ("node.ready", "north")]


def test_chosen_nodes_are_drained_and_no_other(admin_client: Client, house: House) -> None:
    north, south, _east = make_node("north"), make_node("south"), make_node("east")
    act(admin_client, "drain", north, south)
    assert states() == {"north": NodeState.DRAINING, "south": NodeState.DRAINING, "east": NodeState.READY}
    assert sorted(told()) == [("node.draining", "north"), ("node.draining", "south")]
    (who,) = set(AuditEvent.objects.filter(action="node.draining").values_list("user__email", flat=True))
    assert who == admin_client.get(NODES).wsgi_request.user.email


def test_a_lost_node_is_not_called_ready(admin_client: Client, house: House) -> None:
    north, south = make_node("north"), make_node("south")
    Node.objects.filter(pk=north.pk).update(state=NodeState.LOST)
    Node.objects.filter(pk=south.pk).update(state=NodeState.CORDONED)
    answer = act(admin_client, "make_ready", north, south, language="zh-hans")
    assert states() == {"north": NodeState.LOST, "south": NodeState.READY}
    assert told() == [("node.ready", "south")]
    assert said(answer) == ["north: 该节点已失联。收到其代理的消息后，它会自动重新接受任务。"]


@pytest.mark.parametrize("action", ["cordon", "drain", "make_ready"])
@pytest.mark.parametrize("part", [None, "owner", "engineer"])
def test_who_is_no_operator_changes_no_node(house: House, action: str, part: str | None) -> None:
    north = make_node("north")
    before = NodeState.CORDONED if action == "make_ready" else NodeState.READY
    Node.objects.filter(pk=north.pk).update(state=before)
    answer = act(house.client(part), action, north)
    assert answer.status_code == 302 and "/login/" in answer["Location"]
    assert (states(), told()) == ({"north": before}, [])


def test_staff_without_rights_change_no_node(house: House) -> None:
    north, client = make_node("north"), Client()
    clerk = make_user("clerk", is_staff=True)
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    assert act(client, "drain", north).status_code in {302, 403}
    assert (states(), told()) == ({"north": NodeState.READY}, [])


def test_one_job_that_refuses_stops_no_other(admin_client: Client, house: House, check: Any) -> None:
    ended, waiting = check(), check()
    act(admin_client, "cancel", ended, page=JOBS)
    answer = act(admin_client, "cancel", ended, waiting, page=JOBS, language="zh-hans")
    assert [fresh(job).state for job in (ended, waiting)] == [JobState.CANCELLED] * 2
    assert [action for action, _name in told()] == ["job.cancel"] * 2
    assert said(answer) == [f"{ended}: 该任务已经结束。"]
    act(admin_client, "retry", ended, page=JOBS)
    assert [action for action, _name in told()][-1] == "job.retry"
