"""Real engines of a tiny model, one for the whole session, and a gateway for a test."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.workers import instances, tiny

if TYPE_CHECKING:  # these need Django, which is set up only when the tests run
    from tests.factories import House
    from tests.lms.serving import Gateway
    from tests.workers.instances import Engine


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> "Iterator[Engine]":
    """One instance that no test may harm."""
    with instances.serving(tmp_path_factory.mktemp("engine"), tiny_model) as running:
        yield running


@pytest.fixture
def house(db: Any) -> "House":
    from tests.factories import make_house

    return make_house()


@pytest.fixture
def committed_house(transactional_db: Any) -> "House":
    """Visible to the gateway, which has a connection of its own."""
    from tests.factories import make_house

    return make_house()


@pytest.fixture
def gateway(tmp_path: Path, transactional_db: Any) -> "Iterator[Gateway]":
    from tests.lms import serving

    running = serving.gateway(tmp_path).start()
    yield running
    running.stop()
