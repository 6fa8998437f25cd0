"""What comes by the queue is JSON or nothing; what a caller uses is billed once, whatever the caller does."""

import json
import pickle
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from kombu import Connection, Producer
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads

from aifs.celery import app
from apps.core.tasks import tidy
from apps.lms.models import Usage
from tests.factories import House
from tests.lms.serving import Gateway, make_deployment
from tests.workers.instances import Engine, until

ASK = {"model": "helper", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
CHAT = "/v1/chat/completions"


# --- the queue


def test_celery_takes_json_only() -> None:
    assert list(app.conf.accept_content) == ["json"]
    assert app.conf.task_serializer == app.conf.result_serializer == "json"
    for content_type in ("application/x-python-serialize", "application/x-yaml", "application/x-msgpack"):
        with pytest.raises(ContentDisallowed):
            loads(b"x", content_type, "binary", accept=app.conf.accept_content)


class Touch:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        import os

        return os.mkdir, (str(self.canary),)


@pytest.mark.django_db(transaction=True)
def test_a_pickle_in_the_queue_is_never_opened(tmp_path: Path, settings: Any, monkeypatch: Any) -> None:
    """A real worker on the real Redis: the pickle is never opened, the task behind it runs."""
    from celery.contrib.testing.worker import start_worker

    canary, done, queue = tmp_path / "canary", threading.Event(), f"attack-{time.monotonic_ns()}"
    monkeypatch.setattr("apps.core.services.housekeeping.tidy", lambda: done.set() or {})
    body = pickle.dumps(([Touch(canary)], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}))
    with Connection(settings.REDIS_URL) as connection:
        Producer(connection).publish(
            body, routing_key=queue, exchange="", content_type="application/x-python-serialize",
            content_encoding="binary", headers={"task": "core.tidy", "id": "evil", "lang": "py"},
            declare=[app.amqp.queues.new_missing(queue)],
        )  # fmt: skip
    with start_worker(app, queues=[queue], pool="solo", perform_ping_check=False, loglevel="ERROR"):
        tidy.apply_async(queue=queue)
        assert done.wait(20)
    assert not canary.exists()


# --- bills


@pytest.fixture
def client(committed_house: House, engine: Engine, gateway: Gateway) -> Any:
    make_deployment(committed_house.project, engines=[engine])
    with gateway.client(committed_house.key("viewer")) as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
def test_odd_limits_never_earn_anything(client: httpx.Client, stream: bool) -> None:
    odd = [-1, -(2**63), 0, 2**63, "-1", 1.5, None, True, [1]]
    answers = [client.post(CHAT, json=ASK | {"max_tokens": tokens, "stream": stream}) for tokens in odd]
    for tokens, answer in zip(odd, answers, strict=True):
        assert answer.status_code in {200, 400}, (tokens, answer.text)
    until(lambda: Usage.objects.count() == len(odd))
    rows = Usage.objects.all()
    assert Counter(row.status for row in rows) == Counter(answer.status_code for answer in answers)
    for row in rows:
        assert row.prompt_tokens >= 0
        assert 0 <= row.completion_tokens <= 512
        assert row.status == 200 or (row.prompt_tokens, row.completion_tokens) == (0, 0)


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_before_the_usage_is_known_is_billed_once(
    client: httpx.Client, gateway: Gateway, engine: Engine, stream: bool
) -> None:
    """Closed right after the request, and in the middle of the answer: one row each, and the engine stops working."""
    place = urlsplit(gateway.url)
    body = json.dumps(ASK | {"max_tokens": 400, "temperature": 1.5, "stream": stream}).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for wait_s in (0.0, 0.02, 0.05, 0.1, 0.3):
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(head.encode() + body)
            time.sleep(wait_s)
    until(lambda: Usage.objects.count() == 5)
    until(lambda: "running 0" in engine.get("/metrics").text, 5)
    time.sleep(1.2)
    rows = list(Usage.objects.all())
    assert len(rows) == len({row.response_id for row in rows}) == 5
    assert all(row.status in {200, 499} for row in rows)
    assert all(0 <= row.completion_tokens <= 400 for row in rows)


def test_a_hundred_calls_at_once_are_a_hundred_bills(client: httpx.Client) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _number: client.post(CHAT, json=ASK | {"max_tokens": 1}), range(100)))
    served = [answer.json() for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 429, 503}
    until(lambda: Usage.objects.filter(status=200).count() == len(served), 20)
    billed = {row.response_id: row.completion_tokens for row in Usage.objects.filter(status=200)}
    assert billed == {answer["id"]: answer["usage"]["completion_tokens"] for answer in served}


def test_nobody_rates_an_answer_of_another_project(
    client: httpx.Client, committed_house: House, gateway: Gateway
) -> None:
    from apps.lms.models import Feedback

    answer = client.post(CHAT, json=ASK).json()
    until(lambda: Usage.objects.filter(pk=answer["id"]).exists())
    with gateway.client(committed_house.key("stranger")) as stranger:
        stranger.post("/v1/feedback", json={"response_id": answer["id"], "score": 0})
    client.post("/v1/feedback", json={"response_id": answer["id"], "score": 1})
    until(lambda: Feedback.objects.exists())
    assert list(Feedback.objects.values_list("score", flat=True)) == [1.0]
