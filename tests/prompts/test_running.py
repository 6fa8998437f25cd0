"""prompt_test, service_ask and `prompt-versions/{id}/test/`, with a gateway that is a small server of this test."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.urls import reverse

from apps.core import internal
from tests.factories import House
from tests.prompts.factories import MESSAGES, VARIABLES, make_service, make_version


class Gateway(BaseHTTPRequestHandler):
    """Answers every chat with the last message, and remembers what it was asked."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((body, self.headers.get(internal.HEADER)))  # type: ignore[attr-defined]
        if body["messages"][-1]["content"] == "fail":
            return self._send(404, "application/json", json.dumps({"error": {"message": "no model", "code": "x"}}))
        said = f"You said {body['messages'][-1]['content']}"
        if body["stream"]:
            chunks = [{"choices": [{"delta": {"content": part}}]} for part in said.split(" ", 1)]
            return self._send(200, "text/event-stream", "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks))
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        answer = {"id": "r1", "choices": [{"message": {"content": said}}], "usage": usage}
        return self._send(200, "application/json", json.dumps(answer))

    def _send(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def asked(settings: Any) -> Iterator[list[tuple[dict[str, Any], str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.asked = []  # type: ignore[attr-defined]
    settings.AIFS_GATEWAY_URL = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.asked  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def run_test(house: House, part: str = "expert", **changed: Any) -> Any:
    body = {
        "messages": json.dumps(MESSAGES),
        "variables": json.dumps(VARIABLES),
        "deployment": "",
        "temperature": "0.5",
        "value-question": "Where?",
        "value-tone": "dry",
        **changed,
    }
    return house.client(part).post(reverse("prompts:prompt_test", args=["harbour", "greeter"]), body)


def test_prompt_test_answers_what_stands_in_the_editor(house: House, asked: list) -> None:
    deployment = make_version(house).deployment
    page = run_test(house, deployment=str(deployment.pk if deployment else "")).content.decode()
    for piece in ("You said Where?", "7 tokens in", "3 tokens out", "Answer in a dry voice."):
        assert piece in page
    body, token = asked[0]
    assert (body["model"], body["temperature"]) == ("harbour-chat", 0.5)
    assert token.startswith(str(house.project.pk))


def test_prompt_test_says_what_is_missing_and_asks_nobody(house: House, asked: list) -> None:
    deployment = str(make_version(house).deployment_id)
    assert "Choose a deployment" in run_test(house).content.decode()
    assert "question needs a value" in run_test(house, deployment=deployment, **{"value-question": ""}).content.decode()
    assert asked == []
    assert "no model" in run_test(house, deployment=deployment, **{"value-question": "fail"}).content.decode()
    assert run_test(house, "viewer").status_code == 403
    assert run_test(house, "stranger").status_code == 404


def test_the_apis_test(house: House, asked: list) -> None:
    version = make_version(house)
    place = f"/api/v1/prompt-versions/{version.pk}/test/"
    answer = house.api("expert").post(place, {"inputs": {"question": "Hm"}}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert (found["text"], found["response_id"], found["usage"]["completion_tokens"]) == ("You said Hm", "r1", 3)
    assert found["messages"][-1] == {"role": "user", "content": "Hm"}
    missing = house.api("expert").post(place, {}, content_type="application/json")
    assert missing.json()["data"]["missing"] == ["question"]


def talk(house: House, part: str, body: Any) -> Any:
    url = reverse("prompts:service_ask", args=["harbour", "greeter"])
    return house.client(part).post(
        url,
        json.dumps(body),
        content_type="application/json",
        headers={"Accept": "text/event-stream, application/json"},
    )


async def talk_async(house: House, part: str, body: Any) -> tuple[int, str]:
    """As `talk`, in one event loop from the question to the last piece."""
    client = AsyncClient()
    await client.aforce_login(house.user(part), backend="django.contrib.auth.backends.ModelBackend")
    url = reverse("prompts:service_ask", args=["harbour", "greeter"])
    answer = await client.post(url, json.dumps(body), content_type="application/json")
    return answer.status_code, b"".join([chunk async for chunk in answer.streaming_content]).decode()


@pytest.mark.django_db(transaction=True)
def test_service_ask_streams(house: House, asked: list) -> None:
    make_service(house)
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    status, text = async_to_sync(talk_async)(house, "viewer", {"messages": turns})
    assert status == 200
    assert '"You"' in text
    assert "said three" in text
    assert [turn["content"] for turn in asked[0][0]["messages"]] == ["Answer in a warm voice.", "one", "two", "three"]


@pytest.mark.django_db(transaction=True)
def test_service_ask_refuses(house: House, asked: list) -> None:
    service = make_service(house)
    assert talk(house, "viewer", {"messages": []}).status_code == 400
    for body in ("text", {"messages": [1]}, {"messages": [], "inputs": [1]}):
        assert talk(house, "viewer", body).status_code == 400
    failing = talk(house, "viewer", {"messages": [{"role": "user", "content": "fail"}]})
    assert (failing.status_code, failing.headers["Content-Type"]) == (404, "application/problem+json")
    assert talk(house, "stranger", {"messages": []}).status_code == 404
    type(service).objects.update(enabled=False)
    assert talk(house, "viewer", {"messages": [{"role": "user", "content": "hi"}]}).status_code == 409
