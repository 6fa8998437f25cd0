"""One turn of a conversation on the chat page, streamed."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.urls import reverse

from apps.prompts.models import PromptService
from tests.factories import House
from tests.prompts.factories import make_service
from tests.prompts.gateway import Asked

pytestmark = pytest.mark.django_db(transaction=True)


def talk(house: House, part: str, body: Any) -> Any:
    url = reverse("prompts:service_ask", args=["harbour", "greeter"])
    return house.client(part).post(
        url,
        json.dumps(body),
        content_type="application/json",
        headers={"Accept": "text/event-stream, application/json"},
    )


async def talk_to_the_end(house: House, part: str, body: Any) -> tuple[int, str]:
    """As `talk`, in one event loop from the question to the last piece."""
    client = AsyncClient()
    await client.aforce_login(house.user(part), backend="django.contrib.auth.backends.ModelBackend")
    url = reverse("prompts:service_ask", args=["harbour", "greeter"])
    answer = await client.post(url, json.dumps(body), content_type="application/json")
    return answer.status_code, b"".join([chunk async for chunk in answer.streaming_content]).decode()


def test_streams_the_answer_to_the_whole_conversation(house: House, asked: Asked) -> None:
    make_service(house)
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    status, text = async_to_sync(talk_to_the_end)(house, "viewer", {"messages": turns})
    assert status == 200
    assert '"You"' in text
    assert "said three" in text
    assert [turn["content"] for turn in asked[0][0]["messages"]] == ["Answer in a warm voice.", "one", "two", "three"]


def test_a_missing_variable_and_bad_shapes(house: House, asked: Asked) -> None:
    make_service(house)
    for body in ({"messages": []}, "text", {"messages": [1]}, {"messages": [], "inputs": [1]}):
        assert talk(house, "viewer", body).status_code == 400, body
    assert asked == []


def test_what_the_gateway_refuses_is_a_problem_not_a_stream(house: House, asked: Asked) -> None:
    make_service(house)
    failing = talk(house, "viewer", {"messages": [{"role": "user", "content": "fail"}]})
    assert (failing.status_code, failing.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_service_that_is_switched_off(house: House, asked: Asked) -> None:
    make_service(house)
    PromptService.objects.update(enabled=False)
    assert talk(house, "viewer", {"messages": [{"role": "user", "content": "hi"}]}).status_code == 409


def test_strangers_and_the_signed_out(house: House, asked: Asked) -> None:
    make_service(house)
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert talk(house, "stranger", body).status_code == 404
    assert house.client(None).post(reverse("prompts:service_ask", args=["harbour", "greeter"])).status_code == 302
    assert house.client().get(reverse("prompts:service_ask", args=["harbour", "greeter"])).status_code == 405
