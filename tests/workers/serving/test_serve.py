"""`lms.serve` as a process: what it answers, whom it answers, and how it ends."""

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.workers import instances, tiny

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "max_tokens": 6}
CHAT = "/v1/chat/completions"


def hosts(directory: Path) -> list[str]:
    """Engine processes that still work in this run directory."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with contextlib.suppress(OSError):
                if (process / "cwd").resolve() == directory.resolve():
                    found.append((process / "cmdline").read_text())
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("tiny"), initializer_range=0.2)


@pytest.fixture(scope="module")
def engine(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[instances.Engine]:
    with instances.serving(tmp_path_factory.mktemp("run"), model) as running:
        yield running


def test_chat(engine: instances.Engine) -> None:
    answer = engine.post(CHAT, HELLO).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["finish_reason"] in {"stop", "length"}
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    again = engine.post(CHAT, HELLO | {"messages": [*HELLO["messages"], *HELLO["messages"]]}).json()  # type: ignore[misc]
    assert again["usage"]["prompt_tokens_details"]["cached_tokens"] % 32 == 0


def test_completion_and_models(engine: instances.Engine) -> None:
    assert engine.post("/v1/completions", {"prompt": "Once", "max_tokens": 4}).json()["object"] == "text_completion"
    assert engine.get("/v1/models").json()["data"][0]["max_model_len"] == 512
    assert engine.get("/health").json() == {"state": "ready", "runtime": "embedded"}
    assert "aifs_engine_requests_total" in engine.get("/metrics").text


def test_stream_has_the_shape_clients_expect(engine: instances.Engine) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    text = engine.post(CHAT, HELLO | {"stream": True, "stream_options": options}).text
    assert text.endswith("data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in text.split("\n\n")[:-2]]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-2]] == [None] * (len(chunks) - 2)
    assert chunks[-1]["choices"] == []
    counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert counts == sorted(counts)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "é".encode()}])
@pytest.mark.parametrize("path", ["/health", "/metrics", "/v1/models", "/nothing"])
def test_only_the_holder_of_the_key_is_answered(engine: instances.Engine, path: str, headers: Any) -> None:
    assert httpx.get(engine.url + path, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 2}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"max_tokens": 600}, None),
        ({"messages": [{"role": "user", "content": "x" * 600}]}, None),
    ],
)
def test_bad_requests_name_the_field(engine: instances.Engine, change: Any, field: str | None) -> None:
    answer = engine.post(CHAT, HELLO | change)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field
    assert field or answer.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_a_400(engine: instances.Engine, body: bytes) -> None:
    answer = httpx.post(engine.url + CHAT, content=body, headers=engine.headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_json"


def test_stop_string_is_not_shown(engine: instances.Engine) -> None:
    whole = engine.post(CHAT, HELLO | {"max_tokens": 30}).json()["choices"][0]["message"]["content"]
    stop = whole[2:4]
    answer = engine.post(CHAT, HELLO | {"max_tokens": 30, "stop": stop}).json()
    assert answer["choices"][0]["message"]["content"] == whole[: whole.index(stop)]
    assert answer["choices"][0]["finish_reason"] == "stop"


@pytest.mark.timed
def test_client_that_leaves_ends_the_computation(engine: instances.Engine) -> None:
    long = HELLO | {"max_tokens": 480, "stream": True, "temperature": 1.0, "seed": 1}
    with httpx.stream("POST", engine.url + CHAT, json=long, headers=engine.headers) as response:
        next(response.iter_bytes())
    instances.until(lambda: "requests_running 0" in engine.get("/metrics").text, 2)


def test_many_clients_at_once(engine: instances.Engine) -> None:
    alone = engine.post(CHAT, HELLO).json()["choices"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _number: engine.post(CHAT, HELLO).json()["choices"], range(32)))
    assert all(answer == alone for answer in answers)


def test_sigterm_lets_running_answers_finish(model: Path, tmp_path: Path) -> None:
    with instances.serving(tmp_path, model, drain_s=20) as engine, ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine.post, CHAT, HELLO | {"max_tokens": 400, "temperature": 1.0, "seed": 5})
        instances.until(lambda: engine.get("/metrics").text.count("requests_total 1"))
        assert engine.stop() == 0
        assert running.result().status_code == 200
    assert tiny.read_events(tmp_path, "result")
    assert not hosts(tmp_path)


def test_engine_that_dies_ends_the_instance_with_a_reason(model: Path, tmp_path: Path) -> None:
    with instances.serving(tmp_path, model) as engine:
        instances.kill_children(engine.process.pid)
        assert engine.process.wait(timeout=10) == 1
    assert tiny.read_events(tmp_path, "error")[-1]["code"] == "unavailable"


def test_metrics_are_emitted_while_busy_and_rarely_when_idle(engine: instances.Engine) -> None:
    before = len(tiny.read_events(engine.directory, "metric"))
    engine.post(CHAT, HELLO | {"max_tokens": 100, "temperature": 1.0, "seed": 2})
    instances.until(
        lambda: any(
            event["values"]["tokens_per_s"] > 0 for event in tiny.read_events(engine.directory, "metric")[before:]
        )
    )
    time.sleep(5)
    quiet = len(tiny.read_events(engine.directory, "metric"))
    time.sleep(4.5)
    assert len(tiny.read_events(engine.directory, "metric")) == quiet


@pytest.mark.parametrize(
    ("broken", "code"),
    [("config.json", "invalid_input"), ("model.safetensors", "invalid_input"), ("tokenizer.json", "invalid_input")],
)
def test_model_that_is_not_whole_says_so(model: Path, tmp_path: Path, broken: str, code: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in model.iterdir():
        if path.name != broken:
            (folder / path.name).write_bytes(path.read_bytes())
    spec = tiny.write_spec(tmp_path / "run", "lms.serve", {"model": "m"}, {"model": ("model_version", folder, {})})
    assert tiny.start(spec).wait(timeout=60) == 1
    assert tiny.read_events(tmp_path / "run", "error")[-1]["code"] == code


def test_an_address_that_cannot_be_listened_on_is_told_before_the_model_is_loaded(tmp_path: Path) -> None:
    empty = tmp_path / "model"
    empty.mkdir()
    spec = tiny.write_spec(tmp_path / "run", "lms.serve", {"model": "m"}, {"model": ("model_version", empty, {})})
    assert tiny.start(spec, AIFS_NODE_HOST="192.0.2.1").wait(timeout=60) == 1
    error = tiny.read_events(tmp_path / "run", "error")[-1]
    assert error["code"] == "unavailable"
    assert error["message"].startswith("No port could be opened")
