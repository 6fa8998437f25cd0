"""The operators' desk for deployments: start and stop the chosen ones."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from apps.core.models import AuditEvent
from apps.lms import services
from apps.lms.models import Deployment
from tests.factories import House, make_user
from tests.lms.serving import make_version

pytestmark = pytest.mark.django_db
LISTED = reverse("admin:lms_deployment_changelist")


def deploy(house: House, name: str) -> Deployment:
    return services.create_deployment(
        house.actor("engineer"), house.project, name, make_version(house.project, f"{name}-model")
    )


def act(client: Client, action: str, *chosen: Deployment, **headers: str) -> Any:
    return client.post(LISTED, {"action": action, "_selected_action": [row.pk for row in chosen]}, headers=headers)


def wanted() -> dict[str, bool]:
    return dict(Deployment.objects.values_list("name", "wanted"))


def told() -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.filter(action__in=["deployment.start", "deployment.stop"]).order_by("at")
    return [(row.action, row.object_name, row.user.email) for row in rows if row.user]


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_operators_stop_and_start_the_chosen_ones(admin_client: Client, house: House) -> None:
    helper, other = deploy(house, "helper"), deploy(house, "other")
    who = admin_client.get(LISTED).wsgi_request.user.email
    assert act(admin_client, "stop", helper).status_code == 302
    assert wanted() == {"helper": False, "other": True}
    act(admin_client, "start", helper)
    assert wanted() == {"helper": True, "other": True}
    act(admin_client, "stop", helper, other)
    assert wanted() == {"helper": False, "other": False}
    assert told()[:2] == [("deployment.stop", "helper", who), ("deployment.start", "helper", who)]
    assert sorted(told()[2:]) == [("deployment.stop", "helper", who), ("deployment.stop", "other", who)]


@pytest.mark.parametrize(("action", "words"), [("start", "该部署已在运行。"), ("stop", "该部署已停止。")])
def test_one_in_the_wrong_state_is_named_in_the_readers_language(
    admin_client: Client, house: House, action: str, words: str
) -> None:
    helper, other = deploy(house, "helper"), deploy(house, "other")
    services.stop_deployment(house.actor("engineer"), other if action == "start" else helper)
    before = len(told())
    answer = act(admin_client, action, helper, other, **{"accept-language": "zh-hans"})
    assert wanted() == dict.fromkeys(("helper", "other"), action == "start")
    assert said(answer) == [f"helper: {words}"]
    assert [(deed, name) for deed, name, _who in told()[before:]] == [(f"deployment.{action}", "other")]


@pytest.mark.parametrize("action", ["start", "stop"])
@pytest.mark.parametrize("part", [None, "owner", "engineer"])
def test_who_is_no_operator_is_sent_to_the_door(house: House, action: str, part: str | None) -> None:
    helper = deploy(house, "helper")
    answer = act(house.client(part), action, helper)
    assert answer.status_code == 302 and "/login/" in answer["Location"]
    assert (wanted(), told()) == ({"helper": True}, [])


def test_staff_without_rights_do_nothing(house: House) -> None:
    helper, client = deploy(house, "helper"), Client()
    clerk = make_user("clerk", is_staff=True)
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    assert act(client, "stop", helper).status_code in {302, 403}
    assert (wanted(), told()) == ({"helper": True}, [])
