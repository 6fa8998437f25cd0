"""The test bench: what stands in the editor answers, unsaved."""

import json
from typing import Any

from django.urls import reverse

from apps.prompts.models import PromptVersion
from tests.factories import House
from tests.prompts.factories import MESSAGES, VARIABLES, make_version
from tests.prompts.gateway import Asked


def run_test(house: House, part: str = "expert", **changed: Any) -> Any:
    body = {
        "messages": json.dumps(MESSAGES),
        "variables": json.dumps(VARIABLES),
        "deployment": str(PromptVersion.objects.get().deployment_id),
        "temperature": "0.5",
        "value-question": "Where?",
        "value-tone": "dry",
        **changed,
    }
    return house.client(part).post(reverse("prompts:prompt_test", args=["harbour", "greeter"]), body)


def test_answers_what_stands_in_the_editor(house: House, asked: Asked) -> None:
    make_version(house)
    page = run_test(house).content.decode()
    for piece in ("You said Where?", "7 tokens in", "3 tokens out", "Answer in a dry voice."):
        assert piece in page
    body, token = asked[0]
    assert (body["model"], body["temperature"]) == ("harbour-chat", 0.5)
    assert token.startswith(str(house.project.pk))
    assert PromptVersion.objects.count() == 1, "nothing is saved"


def test_an_empty_system_message_is_not_sent(house: House, asked: Asked) -> None:
    make_version(house)
    typed = [{"role": "system", "content": ""}, {"role": "user", "content": "{{ question }}"}]
    variables = json.dumps(VARIABLES[:1])
    assert run_test(house, messages=json.dumps(typed), variables=variables).status_code == 200
    assert asked[0][0]["messages"] == [{"role": "user", "content": "Where?"}]


def test_says_what_is_missing_and_asks_nobody(house: House, asked: Asked) -> None:
    make_version(house)
    assert "Choose a deployment" in run_test(house, deployment="").content.decode()
    assert "question needs a value" in run_test(house, **{"value-question": ""}).content.decode()
    assert "line 1" in run_test(house, messages='[{"role": "user", "content": "{{"}]').content.decode()
    assert asked == []


def test_what_the_gateway_says_is_shown(house: House, asked: Asked) -> None:
    make_version(house)
    assert "no model" in run_test(house, **{"value-question": "fail"}).content.decode()


def test_a_gateway_that_is_away(house: House, settings: Any) -> None:
    settings.AIFS_GATEWAY_URL = "http://127.0.0.1:9"
    make_version(house)
    assert "gateway does not answer" in run_test(house).content.decode()


def test_viewers_may_not_and_strangers_see_nothing(house: House, asked: Asked) -> None:
    make_version(house)
    assert run_test(house, "viewer").status_code == 403
    assert run_test(house, "stranger").status_code == 404
    assert asked == []


def test_the_apis_test(house: House, asked: Asked) -> None:
    place = f"/api/v1/prompt-versions/{make_version(house).pk}/test/"
    answer = house.api("expert").post(place, {"inputs": {"question": "Hm"}}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert (found["text"], found["response_id"], found["usage"]["completion_tokens"]) == ("You said Hm", "r1", 3)
    assert found["messages"][-1] == {"role": "user", "content": "Hm"}
    missing = house.api("expert").post(place, {}, content_type="application/json")
    assert missing.json()["data"]["missing"] == ["question"]


def test_a_value_of_the_wrong_type_is_named(house: House, asked: Asked) -> None:
    make_version(house)
    number = json.dumps([{"name": "question", "type": "number"}, *VARIABLES[1:]])
    assert "question is not right" in run_test(house, variables=number).content.decode()
    assert asked == []
