"""The gateway between real clients and a real engine."""

import json
import time
from typing import Any

import httpx
import openai
import pytest

from apps.core.models import ApiKey
from apps.core.services import create_api_key, revoke_api_key
from apps.lms.gateway.web import encoded
from apps.lms.models import Feedback, Usage
from apps.lms.services import snapshot
from tests.factories import House, make_actor
from tests.lms.serving import Gateway, make_deployment
from tests.workers.instances import Engine, until

ASK = {"model": "helper", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "temperature": 0}


def events(response: httpx.Response) -> list[Any]:
    lines = [line[6:] for line in response.text.split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


@pytest.fixture
def client(committed_house: House, engine: Engine, gateway: Gateway) -> httpx.Client:
    make_deployment(committed_house.project, engines=[engine])
    return gateway.client(committed_house.key("viewer"))


def test_chat_is_answered_and_billed_once(client: httpx.Client, committed_house: House) -> None:
    answer = client.post("/v1/chat/completions", json=ASK).json()
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == "helper"
    assert answer["usage"]["completion_tokens"] > 0
    row = until(lambda: Usage.objects.filter(pk=answer["id"]).first())
    assert (row.prompt_tokens, row.completion_tokens) == (
        answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"],
    )  # fmt: skip
    assert row.project == committed_house.project
    assert row.deployment.name == "helper"
    assert row.status == 200
    assert until(lambda: ApiKey.objects.get(user=committed_house.viewer).last_used_at)
    assert Usage.objects.count() == 1


def test_stream_says_the_same_as_the_whole(client: httpx.Client) -> None:
    whole = client.post("/v1/chat/completions", json=ASK).json()
    streamed = events(client.post("/v1/chat/completions", json=ASK | {"stream": True}))
    assert streamed[-1] == "[DONE]"
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in streamed[:-1])
    assert text == whole["choices"][0]["message"]["content"]
    assert len({chunk["id"] for chunk in streamed[:-1]}) == 1
    assert all("usage" not in chunk for chunk in streamed[:-1])
    assert (
        until(lambda: Usage.objects.filter(pk=streamed[0]["id"]).first()).completion_tokens
        == whole["usage"]["completion_tokens"]
    )


def test_stream_gives_usage_to_who_asks(client: httpx.Client) -> None:
    streamed = events(
        client.post("/v1/chat/completions", json=ASK | {"stream": True, "stream_options": {"include_usage": True}})
    )
    assert streamed[-2]["choices"] == []
    assert streamed[-2]["usage"]["completion_tokens"] > 0


def test_openai_client(client: httpx.Client, committed_house: House, gateway: Gateway) -> None:
    official = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=committed_house.key("viewer"), max_retries=0)
    assert [model.id for model in official.models.list()] == ["helper"]
    chat = official.chat.completions.create(
        model="helper", messages=[{"role": "user", "content": "你好"}], max_tokens=5
    )
    assert chat.usage is not None
    assert chat.usage.completion_tokens <= 5
    pieces = list(official.chat.completions.create(**ASK, stream=True))  # type: ignore[call-overload]
    assert pieces[-1].choices[0].finish_reason in {"stop", "length"}
    assert official.completions.create(model="helper", prompt="Once", max_tokens=3).choices[0].finish_reason
    with pytest.raises(openai.NotFoundError, match="Known models: helper"):
        official.chat.completions.create(**ASK | {"model": "nobody"})  # type: ignore[call-overload]


def test_wrong_keys_are_refused(client: httpx.Client, gateway: Gateway) -> None:
    with gateway.client() as stranger:
        for key in ("", "aifs_wrong", "x' OR 1=1 --", "é" * 400):
            headers = {"Authorization": f"Bearer {key}".strip().encode()}
            answer = stranger.post("/v1/chat/completions", json=ASK, headers=headers)
            assert answer.status_code == 401, key
            assert answer.json()["error"]["code"] == "invalid_api_key", key


def test_revoked_key_stops_at_once(client: httpx.Client, committed_house: House, gateway: Gateway) -> None:
    actor = make_actor(committed_house.owner)
    key, plain = create_api_key(actor, committed_house.project, "short", ["view"])
    with gateway.client(plain) as other:
        assert other.get("/v1/models").status_code == 200
        revoke_api_key(actor, key)
        until(lambda: other.get("/v1/models").status_code == 401, 3)


def test_key_of_another_project_knows_nothing(client: httpx.Client, committed_house: House, gateway: Gateway) -> None:
    with gateway.client(committed_house.key("stranger")) as stranger:
        assert stranger.get("/v1/models").json()["data"] == []
        answer = stranger.post("/v1/chat/completions", json=ASK)
    assert answer.status_code == 404
    assert "helper" not in answer.json()["error"]["message"].replace("“helper”", "", 1)


BAD = [
    (b"{", "bad_json"),
    (b"[]", "bad_json"),
    (b"[" * 100_000, "bad_json"),
    (json.dumps(ASK | {"max_tokens": -1}).encode(), "invalid_input"),
    (json.dumps(ASK | {"messages": []}).encode(), "invalid_input"),
    (json.dumps(ASK | {"messages": [{"role": "user", "content": "x" * 4000}]}).encode(), "context_length_exceeded"),
]


def test_bad_input_is_a_400_that_says_why(client: httpx.Client) -> None:
    for body, code in BAD:
        answer = client.post("/v1/chat/completions", content=body)
        assert answer.status_code == 400, body[:60]
        assert answer.json()["error"]["code"] == code, body[:60]


def test_large_bodies_and_headers_are_refused(client: httpx.Client) -> None:
    assert client.post("/v1/chat/completions", content=b" " * (17 << 20)).status_code == 413
    many = {f"x-{number}": "y" * 1000 for number in range(100)}
    assert client.get("/v1/models", headers=many).status_code == 400
    assert client.get("/v1/models").status_code == 200


@pytest.mark.timed
def test_client_that_leaves_is_billed_for_what_it_got(client: httpx.Client, engine: Engine) -> None:
    """Fault 17."""
    long = ASK | {"stream": True, "max_tokens": 400, "temperature": 1.5, "seed": 3, "stop": ["\u0001never"]}
    with client.stream("POST", "/v1/chat/completions", json=long) as response:
        parts = response.iter_text()
        seen = next(parts) + next(parts)
    started = time.monotonic()
    row = until(lambda: Usage.objects.first())
    assert row.status in {499, 200}  # a tiny model may be faster than a client that leaves
    assert 0 < row.completion_tokens <= 400
    assert seen.count('"content": "') <= row.completion_tokens + 2
    until(lambda: "running 0" in engine.get("/metrics").text, 2)
    assert time.monotonic() - started < 5
    time.sleep(1.2)
    assert Usage.objects.count() == 1


def test_feedback_is_kept(client: httpx.Client, committed_house: House) -> None:
    id = client.post("/v1/chat/completions", json=ASK).json()["id"]
    assert client.post("/v1/feedback", json={"response_id": id, "score": 1, "comment": "好"}).status_code == 200
    row = until(lambda: Feedback.objects.first())
    assert (row.response_id, row.score, row.comment, row.project) == (id, 1.0, "好", committed_house.project)
    for wrong in (
        {"response_id": id},
        {"response_id": id, "score": "x"},
        {"score": 1},
        {"response_id": id, "score": float("1e999")},
    ):
        assert client.post("/v1/feedback", content=json.dumps(wrong)).status_code == 400


def test_health_and_metrics(client: httpx.Client, gateway: Gateway) -> None:
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").json() == {"ready": True}
    until(lambda: client.get("/v2/models/helper/ready").status_code == 200)
    assert client.get("/v2/models/nobody/ready").status_code == 404
    client.post("/v1/chat/completions", json=ASK)
    with gateway.client() as prometheus:
        text = prometheus.get("/metrics").text
    assert "aifs_gateway_instances_healthy 1" in text
    assert 'status="200"} 1' in text
    assert "helper" not in text


def test_new_deployment_is_known_at_once(client: httpx.Client, committed_house: House, engine: Engine) -> None:
    make_deployment(committed_house.project, "second", [engine])
    assert client.post("/v1/chat/completions", json=ASK | {"model": "second"}).status_code == 200


def test_deployment_without_instances_says_when_to_come_back(client: httpx.Client, committed_house: House) -> None:
    make_deployment(committed_house.project, "empty")
    answer = client.post("/v1/chat/completions", json=ASK | {"model": "empty"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "model_not_ready"
    assert int(answer.headers["Retry-After"]) > 0


def test_snapshot_versions_grow(committed_house: House) -> None:
    first = snapshot.rebuild()
    assert snapshot.rebuild() == first + 1


def test_an_event_stays_on_its_line() -> None:
    """Ends of lines that only Unicode knows: httpx, and so the SDK, would cut the event in two."""
    body = {"content": "一\u2028二\x85三\u2029 \x0b\x0c\x1c\r\n"}
    assert len(encoded(body).decode().splitlines()) == 1
    assert json.loads(encoded(body)) == body
