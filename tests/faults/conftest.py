"""Imports wait until Django is set up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Any]:
    """A Redis that may be harmed."""
    from aifs.embedded.ports import free_port
    from aifs.embedded.redis import Redis

    server = Redis(tmp_path / "redis", free_port(), "a-password-of-its-own", persistent=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bare(transactional_db: None, tmp_path: Path, redis_server: Any) -> Iterator[Any]:
    """An installation of which nothing runs yet, for what would harm others. Its bells ring in a Redis of its own: on a
    shared one the standing installation's finisher would take them, and look for the work in another database."""
    from tests.faults.installation import Installation

    place = Installation(tmp_path / "home")
    place.environment["REDIS_URL"] = redis_server.url
    yield place
    place.end()


@pytest.fixture(scope="session")
def standing(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from tests.faults.standing import Standing

    place = Standing(tmp_path_factory)
    yield place
    place.end()


@pytest.fixture
def installation(standing: Any, django_db_blocker: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Scheduler and finisher run, for all tests that leave them whole; the test names its nodes. Everything that went
    before is judged again with it; after a failed test there is a new one."""
    failed = request.session.testsfailed
    with django_db_blocker.unblock(), standing.entered() as place:
        yield place
    if request.session.testsfailed > failed:
        standing.end()
