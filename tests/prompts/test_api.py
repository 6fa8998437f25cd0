"""`/api/v1/prompts/`, `prompt-versions/` and `prompt-services/`."""

from typing import Any

from django.test import Client

from apps.prompts.models import PromptService, PromptVersion
from tests.factories import House
from tests.prompts.factories import MESSAGES, make_deployment, make_service, make_version


def post(client: Client, path: str, body: Any, **options: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", **options)


def test_create_push_and_publish(house: House) -> None:
    api = house.api("expert")
    make_deployment(house)
    prompt = post(api, "prompts/", {"project": "harbour", "name": "greeter"})
    assert prompt.status_code == 201, prompt.content
    body = {"prompt": prompt.json()["id"], "messages": MESSAGES, "deployment": "harbour-chat", "note": "first"}
    version = post(api, "prompt-versions/", body)
    assert version.status_code == 201, version.content
    found = version.json()
    assert (found["number"], found["deployment"], found["prompt_name"]) == (1, "harbour-chat", "greeter")
    assert [variable["name"] for variable in found["variables"]] == ["tone", "question"]
    service = post(api, f"prompt-versions/{found['id']}/publish/", {})
    assert service.status_code == 201, service.content
    assert (service.json()["model"], service.json()["version_number"]) == ("prompt/greeter", 1)


def test_blank_messages_are_not_kept_and_a_version_needs_one_that_says_something(house: House) -> None:
    make_version(house)
    blank = {"role": "system", "content": ""}
    answer = post(house.api(), "prompt-versions/", {"prompt": "greeter", "messages": [blank, *MESSAGES[1:]]})
    assert (answer.status_code, answer.json()["messages"]) == (201, MESSAGES[1:])
    refused = post(house.api(), "prompt-versions/", {"prompt": "greeter", "messages": [blank]})
    assert (refused.status_code, refused.json()["data"]["errors"][0]["field"]) == (400, "messages")


def test_a_repeated_call_makes_one_prompt(house: House) -> None:
    api = house.api()
    headers = {"Idempotency-Key": "once"}
    first = post(api, "prompts/", {"name": "greeter"}, headers=headers)
    second = post(api, "prompts/", {"name": "greeter"}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert post(api, "prompts/", {"name": "greeter"}).status_code == 409


def test_a_prompt_may_be_named_by_its_name(house: House) -> None:
    make_version(house)
    answer = post(house.api(), "prompt-versions/", {"prompt": "greeter", "messages": MESSAGES})
    assert answer.json()["number"] == 2


def test_lists_are_of_the_own_project(house: House) -> None:
    make_service(house)
    for path in ("prompts", "prompt-versions", "prompt-services"):
        assert len(house.api("viewer").get(f"/api/v1/{path}/").json()["results"]) == 1
        assert house.api("stranger").get(f"/api/v1/{path}/").json()["results"] == []
        assert Client().get(f"/api/v1/{path}/").status_code == 401


def test_somebody_elses_object_is_404_and_a_viewer_may_not_write(house: House) -> None:
    service = make_service(house)
    version, prompt = service.version, service.version.prompt
    places = [f"prompts/{prompt.pk}/", f"prompt-versions/{version.pk}/", f"prompt-services/{service.pk}/"]
    for place in places:
        assert house.api("viewer").get(f"/api/v1/{place}").status_code == 200
        assert house.api("stranger").get(f"/api/v1/{place}").status_code == 404
    for place in (places[0], places[2]):
        for part, status in (("viewer", 403), ("stranger", 404)):
            client = house.api(part)
            assert client.patch(f"/api/v1/{place}", {}, content_type="application/json").status_code == status
            assert client.delete(f"/api/v1/{place}").status_code == status
    for action in ("publish", "test"):
        assert post(house.api("viewer"), f"{places[1]}{action}/", {}).status_code == 403
        assert post(house.api("stranger"), f"{places[1]}{action}/", {}).status_code == 404
    assert post(house.api("viewer"), "prompts/", {"name": "x"}).status_code == 403
    assert post(house.api("viewer"), "prompt-versions/", {"prompt": "greeter", "messages": MESSAGES}).status_code == 403
    assert (
        post(house.api("stranger"), "prompt-versions/", {"prompt": str(prompt.pk), "messages": []}).status_code == 404
    )


def test_bad_input_names_the_field(house: House) -> None:
    make_version(house)
    broken = {"prompt": "greeter", "messages": [{"role": "user", "content": "{{ x"}]}
    answer = post(house.api(), "prompt-versions/", broken)
    assert (answer.status_code, answer.json()["code"]) == (400, "template_syntax")
    assert answer.json()["data"]["errors"][0] == {
        "field": "messages.0.content",
        "message": answer.json()["data"]["text"],
        "line": 1,
    }
    unknown = {"prompt": "greeter", "messages": MESSAGES, "deployment": "nowhere"}
    assert post(house.api(), "prompt-versions/", unknown).json()["data"]["errors"][0]["field"] == "deployment"
    assert post(house.api(), "prompt-versions/", {"prompt": "greeter"}).status_code == 400
    assert post(house.api(), "prompts/", {"name": "two words"}).status_code == 400
    assert PromptVersion.objects.count() == 1


def test_a_service_is_switched_disabled_and_deleted(house: House) -> None:
    service = make_service(house)
    second = make_version(house, settings={"temperature": 1})
    api, place = house.api("expert"), f"/api/v1/prompt-services/{service.pk}/"

    def patch(**body: Any) -> Any:
        return api.patch(place, body, content_type="application/json")

    assert patch(version=str(second.pk)).json()["version_number"] == 2
    assert patch(enabled=False).json()["enabled"] is False
    assert patch(version=str(house.project.pk)).status_code == 400
    assert patch(name="other").json()["name"] == "greeter", "a service keeps its name"
    assert api.delete(place).status_code == 204
    assert not PromptService.objects.exists()


def test_a_published_prompt_is_not_deleted(house: House) -> None:
    service = make_service(house)
    assert house.api().delete(f"/api/v1/prompts/{service.version.prompt_id}/").status_code == 409
