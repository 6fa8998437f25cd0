import json
from typing import Any

from django.urls import reverse

from apps.prompts.models import PromptVersion
from tests.factories import House
from tests.prompts.factories import MESSAGES, VARIABLES, make_version


def save(house: House, part: str = "expert", **changed: Any) -> Any:
    deployment = PromptVersion.objects.get(number=1).deployment
    body = {
        "messages": json.dumps(MESSAGES),
        "variables": json.dumps(VARIABLES),
        "deployment": str(deployment.pk) if deployment else "",
        "temperature": "0",
        **changed,
    }
    return house.client(part).post(reverse("prompts:version_create", args=["harbour", "greeter"]), body)


def test_saves_the_next_version(house: House) -> None:
    make_version(house)
    assert save(house, temperature="0.5", max_tokens="40", note="warmer").status_code == 302
    version = PromptVersion.objects.get(number=2)
    assert (version.settings, version.note) == ({"temperature": 0.5, "max_tokens": 40}, "warmer")


def test_nothing_changed_makes_no_version(house: House) -> None:
    make_version(house)
    assert save(house).status_code == 302
    assert PromptVersion.objects.count() == 1


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(house: House) -> None:
    make_version(house)
    typed = json.dumps([{"role": "user", "content": "Almost {{ there"}])
    answer = save(house, messages=typed)
    assert answer.status_code == 400
    assert b"line 1" in answer.content
    assert b"Almost {{ there" in answer.content
    for changed in ({"messages": "not json"}, {"messages": "[]"}, {"temperature": "3"}, {"variables": "[1]"}):
        assert save(house, **changed).status_code == 400, changed
    assert PromptVersion.objects.count() == 1


def test_a_deployment_of_another_project_is_refused(house: House) -> None:
    make_version(house)
    assert save(house, deployment=str(house.project.pk)).status_code == 400


def test_viewers_may_not_and_strangers_see_nothing(house: House) -> None:
    make_version(house)
    assert save(house, "viewer").status_code == 403
    assert save(house, "stranger").status_code == 404


def test_the_empty_system_card_of_a_new_prompt_is_not_saved(house: House) -> None:
    make_version(house)
    typed = json.dumps([{"role": "system", "content": ""}, MESSAGES[1]])
    assert save(house, messages=typed).status_code == 302
    assert PromptVersion.objects.get(number=2).messages == MESSAGES[1:]


def test_refuses_a_version_without_any_text(house: House) -> None:
    make_version(house)
    answer = save(house, messages=json.dumps([{"role": "system", "content": " "}]), variables="[]")
    assert answer.status_code == 400
    assert "All messages are empty." in answer.content.decode()
