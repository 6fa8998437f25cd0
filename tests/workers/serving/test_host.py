"""What an engine's process tells of its load."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from workers.lms.engines import host
from workers.lms.engines.base import Load
from workers.lms.engines.host import Wire, _tell_load


class Engine:
    def __init__(self) -> None:
        self.now = Load(0, 0, 0.0)
        self.looks = 0

    def load(self) -> Load:
        self.looks += 1
        return self.now


class Told:
    """What has come out of the wire so far."""

    def __init__(self) -> None:
        self.engine: Any = Engine()
        self.asked = threading.Event()
        ours, self.theirs = socket.socketpair()
        self.lines = ours.makefile("rb")
        ours.settimeout(5)
        self.thread = threading.Thread(
            target=_tell_load, args=(self.engine, Wire(self.theirs), self.asked), daemon=True
        )
        self.thread.start()

    def next(self) -> dict[str, Any]:
        return json.loads(self.lines.readline())["load"]


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    assert told.next() == {"running": 0, "waiting": 0, "cache_use": 0.0}
    yield told
    told.theirs.close()
    told.engine.now = Load(9, 9, 1.0)  # whose telling fails, which ends the thread
    told.asked.set()
    told.thread.join(5)
    assert not told.thread.is_alive()


def test_requests_are_told_when_they_come_and_go(told: Told) -> None:
    told.engine.now = Load(1, 2, 0.5)
    told.asked.set()
    assert told.next() == {"running": 1, "waiting": 2, "cache_use": 0.5}
    told.engine.now = Load(0, 0, 0.0)
    assert told.next()["running"] == 0, "without another word"


def test_an_idle_engine_is_left_alone(told: Told) -> None:
    looks = told.engine.looks
    threading.Event().wait(10 * host.LOAD_EVERY_S)
    assert told.engine.looks - looks <= 2


def test_what_changes_without_a_request_is_told_a_little_later(told: Told) -> None:
    """A cache that is freed after its last request has gone, or a request that was not to be seen at once."""
    told.engine.now = Load(0, 0, 0.25)
    assert told.next()["cache_use"] == 0.25
