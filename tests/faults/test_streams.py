"""TRUST faults 16 and 17: clients that read too slowly, and clients that leave, at a real gateway and a real engine."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from apps.lms.models import Usage
from tests.factories import House, make_house
from tests.faults.slow_reader import BYTES_PER_S, ask_through_a_small_window
from tests.lms import serving
from tests.lms.serving import Gateway, make_deployment
from tests.workers import tiny
from tests.workers.instances import Engine, until
from tests.workers.instances import serving as instance

pytestmark = [pytest.mark.timed, pytest.mark.timeout(180)]

CANCELLED_S, LEAVERS = 0.2, 20
DELIVERED = 15
READERS = 50
GROWTH_MAX_MIB = 64
SLOWER = 1.5
ASK: dict[str, Any] = {
    "model": "helper",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 8,
    "temperature": 0,
}
"""Greedy: a model with random weights repeats itself then, and does not end by chance."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Large enough that an answer of 3,000 tokens takes many seconds."""
    shape = {"hidden_size": 256, "num_hidden_layers": 8, "max_position_embeddings": 4096}
    model = tiny.make_model(tmp_path_factory.mktemp("model"), **shape)
    with instance(tmp_path_factory.mktemp("engine"), model, context_length=4096, cache_gib=0.5) as running:
        yield running


@pytest.fixture
def house(transactional_db: Any) -> House:
    return make_house()


@pytest.fixture
def gateway(house: House, engine: Engine, tmp_path: Path) -> Iterator[Gateway]:
    make_deployment(house.project, engines=[engine])
    running = serving.gateway(tmp_path).start()
    until(lambda: all(member.healthy for member in running.app.pool.members.values()))
    yield running
    running.stop()


def running(engine: Engine) -> int:
    line = next(line for line in engine.get("/metrics").text.splitlines() if line.startswith("aifs_engine_requests_r"))
    return int(float(line.split()[1]))


def pieces(lines: list[str]) -> int:
    """Tokens at least: events that say something."""
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return sum(bool(event["choices"][0]["delta"].get("content")) for event in events if event["choices"])


def leave_in_the_middle(gateway: Gateway, engine: Engine, key: str, number: int) -> tuple[str, int, float]:
    """Id of the answer, tokens that came, and when the connection was closed; until then the engine is at work."""
    body = ASK | {"messages": [{"role": "user", "content": f"Number {number}"}], "stream": True, "max_tokens": 3000}
    seen: list[str] = []
    with gateway.client(key) as client, client.stream("POST", "/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            seen.append(line)
            if pieces(seen) >= DELIVERED:
                until(lambda: running(engine) == 1, 5, 0.005)
                break
    return json.loads(seen[0][6:])["id"], pieces(seen), time.monotonic()


def test_the_engine_stops_within_200_ms_of_the_clients_leaving(gateway: Gateway, engine: Engine, house: House) -> None:
    """Fault 17: one bill for each, of no less than was delivered and of no more than was made until it stopped."""
    got: dict[str, int] = {}
    took = []
    for number in range(LEAVERS):
        id, tokens, left = leave_in_the_middle(gateway, engine, house.key("viewer"), number)
        until(lambda: not running(engine), 5, 0.005)
        took.append(time.monotonic() - left)
        got[id] = tokens
    print(f"cancelled after {', '.join(f'{seconds * 1000:.0f}' for seconds in took)} ms")
    assert max(took) < CANCELLED_S
    until(lambda: Usage.objects.count() == len(got))
    time.sleep(1.2)  # the spool is emptied once a second: a second bill would come now
    bills = {row.pk: row for row in Usage.objects.all()}
    assert set(bills) == set(got)
    for id, tokens in got.items():
        assert bills[id].status == 499
        assert tokens <= bills[id].completion_tokens < 3000
        assert bills[id].prompt_tokens > 0


class SlowReader(threading.Thread):
    """Takes one byte a second of a long answer, through a small window."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket()
        ask_through_a_small_window(self.socket, url, key, ASK | {"stream": True, "max_tokens": 200})
        self.end = threading.Event()
        self.read = 0

    def run(self) -> None:
        while not self.end.wait(1 / BYTES_PER_S):
            self.read += len(self.socket.recv(1))
        self.socket.close()


def p99(client: httpx.Client, count: int = 60) -> float:
    times = []
    for _ in range(count):
        began = time.monotonic()
        assert client.post("/v1/chat/completions", json=ASK).status_code == 200
        times.append(time.monotonic() - began)
    return sorted(times)[int(count * 0.99) - 1]


def test_slow_readers_cost_the_others_nothing(gateway: Gateway, engine: Engine, house: House) -> None:
    """Fault 16. On a busy machine a time says little, so the best of three comparisons counts; memory always does."""
    key = house.key("viewer")
    this, before = psutil.Process(), psutil.Process().memory_info().rss
    served = psutil.Process(engine.process.pid)
    served_before = served.memory_info().rss
    with gateway.client(key) as client:
        p99(client, 10)
        alone = [p99(client) for _ in range(3)]
        readers = [SlowReader(gateway.url, key) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        until(lambda: sum(reader.read > 0 for reader in readers) == READERS, 60)
        until(lambda: not running(engine), 90)  # what they wait for is computed; from now on they only hold things up
        beside = [p99(client) for _ in range(3)]
    growth = [(this.memory_info().rss - before) >> 20, (served.memory_info().rss - served_before) >> 20]
    for reader in readers:
        reader.end.set()
    ratio = min(beside) / min(alone)
    print(f"p99 {min(alone) * 1000:.0f} ms alone, {min(beside) * 1000:.0f} ms beside them ({ratio:.2f}); MiB {growth}")
    assert ratio < SLOWER, (alone, beside)
    assert max(growth) < GROWTH_MAX_MIB, growth
    for reader in readers:
        reader.join(5)
    until(lambda: Usage.objects.filter(completion_tokens__gt=8).count() >= READERS, 20)
