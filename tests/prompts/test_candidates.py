"""Versions of prompts beside deployments in the playground."""

import json

import pytest
from django.urls import reverse

from apps.core.errors import InvalidInput, NotFound
from apps.lms import candidates
from apps.prompts.candidates import PREFIX
from tests.factories import House
from tests.prompts.factories import make_deployment, make_version

ASKED = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Ahoy"}],
    "temperature": 0.2,
}


def offered(house: House, part: str = "viewer") -> dict[str, str]:
    groups = candidates.groups(house.actor(part), house.project)
    return {option["label"]: option["value"] for group in groups for option in group["options"]}


def test_versions_that_can_answer_are_offered(house: House) -> None:
    version = make_version(house, "greeter", deployment=make_deployment(house))
    make_version(house, "silent", deployment=None)
    assert offered(house) == {"greeter:1": f"{PREFIX}:{version.pk}"}


def test_a_version_names_who_answers_and_brings_its_own_system_message(house: House) -> None:
    make_version(house, "greeter", deployment=make_deployment(house))
    (group,) = candidates.groups(house.actor("viewer"), house.project)
    assert group["own_system"] and group["options"][0]["deployment"] == "harbour-chat"


def test_a_question_becomes_what_the_version_asks_its_deployment(house: House) -> None:
    deployment = make_deployment(house)
    version = make_version(house, "greeter", deployment=deployment, settings={"max_tokens": 9})
    body = candidates.resolve(house.actor("viewer"), house.project, ASKED | {"model": f"{PREFIX}:{version.pk}"})
    assert body["model"] == deployment.name
    assert body["max_tokens"] == 9 and body["temperature"] == 0.2
    assert "Ahoy" in json.dumps(body["messages"]) and "Be brief." not in json.dumps(body["messages"])


def test_a_deployment_is_asked_as_it_is(house: House) -> None:
    body = ASKED | {"model": "helper"}
    assert candidates.resolve(house.actor("viewer"), house.project, body) == body
    assert (
        candidates.resolve(house.actor("viewer"), house.project, body | {"model": "other:thing"})["model"]
        == "other:thing"
    )


def test_another_projects_version_is_not_there(house: House) -> None:
    version = make_version(house, "greeter", deployment=make_deployment(house))
    for key in (version.pk, "nonsense"):
        with pytest.raises(NotFound):
            candidates.resolve(house.actor("stranger"), house.other_project, ASKED | {"model": f"{PREFIX}:{key}"})


def test_without_a_message_there_is_nothing_to_ask(house: House) -> None:
    version = make_version(house, "greeter", deployment=make_deployment(house))
    with pytest.raises(InvalidInput):
        candidates.resolve(house.actor("viewer"), house.project, {"model": f"{PREFIX}:{version.pk}", "messages": []})


def test_the_page_holds_no_version_while_nothing_is_ready(house: House) -> None:
    make_version(house, "greeter")
    page = house.client("viewer").get(reverse("lms:playground", args=[house.project.slug]))
    assert page.context["models"] == "[]"
