"""TRUST fault 8: PostgreSQL gives no more connections. Who cannot be served is told when to come back; nobody waits
for ever, and everything is well again with the end of the rush."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.faults.clients import chat
from tests.faults.plant import DEPLOYMENT, Plant
from tests.stack.foreign import foreign_postgres

pytestmark = [pytest.mark.fault, pytest.mark.timeout(400)]

CONNECTIONS, KEPT, CLIENTS = 20, 3, 200
"""Kept: for administrators, by PostgreSQL."""
ROOM = 4
"""Connections for a command of an operator, and one to spare for each."""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A stack on a PostgreSQL with few connections. Every process may still take its usual eight."""
    folder = tmp_path_factory.mktemp("cramped")
    with foreign_postgres(folder / "dba", max_connections=str(CONNECTIONS)) as database:
        place = Plant(folder, DATABASE_URL=database).up()
        yield place
        place.down()


async def rush(plant: Plant, path: str) -> list[httpx.Response]:
    """Every client asks at the same time."""
    headers = {"Authorization": f"Bearer {plant.key}"}
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=plant.stack.access["url"], headers=headers, limits=limits, timeout=60,
                                 trust_env=False) as client:  # fmt: skip
        return await asyncio.gather(*[client.get(path) for _ in range(CLIENTS)])


def ask_again_and_again(plant: Plant) -> set[int]:
    """One client of the gateway."""
    return {chat(plant.gateway_url, plant.key, DEPLOYMENT, plant.records) for _ in range(10)}


async def everybody(plant: Plant) -> tuple[set[int], list[httpx.Response], list[httpx.Response]]:
    asking = asyncio.to_thread(ask_again_and_again, plant)
    return await asyncio.gather(asking, rush(plant, "/api/v1/jobs/"), rush(plant, "/api/v1/models/"))


def test_two_hundred_clients_of_twenty_connections(plant: Plant) -> None:
    """They ask for two lists each while a job runs and a model answers."""
    plant.deploy(plant.import_model())
    with going_on(plant):
        began = time.monotonic()
        answered, *pages = asyncio.run(everybody(plant))
        assert time.monotonic() - began < 60, "somebody waited for ever"
        for answers in pages:
            check(answers)
            assert Counter(answer.status_code for answer in answers)[200] >= CONNECTIONS
        assert answered == {200}, "the gateway asks PostgreSQL for nothing"
        well_again(plant)
    plant.client.deployments.delete(DEPLOYMENT)


def test_no_connection_is_left_at_all(plant: Plant) -> None:
    """Those that the stack had are cut, and taken before it can have them back."""
    with going_on(plant):
        with plant.without_connections(even_its_own=True) as held:
            assert held == CONNECTIONS - KEPT
            answers = asyncio.run(rush(plant, "/api/v1/jobs/"))
            assert httpx.get(f"{plant.gateway_url}/v2/health/ready", trust_env=False).status_code == 200
        check(answers)
        assert Counter(answer.status_code for answer in answers)[503] == CLIENTS
        well_again(plant)
    plant.check_history()


@contextlib.contextmanager
def going_on(plant: Plant) -> Iterator[None]:
    """A job runs meanwhile, and needs one attempt."""
    run = plant.start("gpucloud.check", {"steps": 3000, "seconds_per_step": 0.1})
    plant.until(lambda: run.refresh().state == "running", what="the run")
    try:
        yield
    finally:
        run.cancel()
        plant.until(lambda: run.refresh().ended, 30, "the end of the run")
    assert len(run["attempts"]) == 1


def check(answers: list[httpx.Response]) -> None:
    assert {answer.status_code for answer in answers} <= {200, 503}, Counter(answer.status_code for answer in answers)
    for answer in answers:
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json()["code"] == "unavailable"


def well_again(plant: Plant) -> None:
    """Within seconds of the end every request is answered, and a job goes through. What the rush made each process take
    comes back, so that there is room for others."""
    plant.until(lambda: all(answer.status_code == 200 for answer in asyncio.run(rush(plant, "/health/ready"))), 15)
    plant.start("gpucloud.check", {"steps": 1}).wait(timeout_s=20)
    plant.until(lambda: room(plant) >= ROOM, 100, "the return of connections")


def room(plant: Plant) -> int:
    """How many more clients PostgreSQL would take."""
    with contextlib.suppress(psycopg.OperationalError):
        taken = plant.rows("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return CONNECTIONS - KEPT - len(taken)
    return 0
