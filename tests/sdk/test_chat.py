"""Reading what the gateway sends."""

import json
from typing import Any

import httpx
import pytest

from aifs.sdk import Client, ConnectionFailed, InvalidInput, NotFound, Unavailable


def stream_of(*chunks: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def piece(text: str) -> dict[str, Any]:
    return {"id": "resp-1", "choices": [{"delta": {"content": text}}]}


def client_of(*answers: httpx.Response | Exception) -> Client:
    left = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        answer.request = request
        return answer

    return Client("http://aifs", "key", "demo", "http://gateway", transport=httpx.MockTransport(handler))


def test_streams_pieces_and_keeps_the_usage() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    body = stream_of(piece("你"), piece("好"), {"id": "resp-1", "choices": [], "usage": usage})
    told: list[str] = []
    answer = client_of(httpx.Response(200, text=body)).chat("m", "hi", told=told.append)
    assert (answer.text, answer.usage, answer.response_id, told) == ("你好", usage, "resp-1", ["你", "好"])
    assert answer.ttft_ms is not None
    assert set(answer.summary()) == {"text", "usage", "response_id", "ttft_ms"}


def test_a_plain_answer() -> None:
    body = {"id": "resp-2", "choices": [{"message": {"content": "yes"}}], "usage": {"completion_tokens": 1}}
    answer = client_of(httpx.Response(200, json=body)).chat("m", "hi", stream=False)
    assert (answer.text, answer.ttft_ms, answer.tokens_per_s) == ("yes", None, None)


def test_errors_before_and_inside_a_stream() -> None:
    missing = {"error": {"message": "no model m", "code": "model_not_found"}}
    with pytest.raises(NotFound):
        client_of(httpx.Response(404, json=missing)).chat("m", "hi")
    with pytest.raises(InvalidInput):
        client_of(httpx.Response(400, json={"error": {"message": "missing", "code": "variable_missing"}})).prompts.run(
            "p", {}
        )
    broken = stream_of(piece("a"), {"error": {"message": "the instance died", "code": "instance_lost"}})
    with pytest.raises(Unavailable) as caught:
        client_of(httpx.Response(200, text=broken)).chat("m", "hi")
    assert caught.value.code == "instance_lost"
    with pytest.raises(ConnectionFailed):
        client_of(httpx.ConnectError("refused")).chat("m", "hi")
