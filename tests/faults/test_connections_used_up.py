"""TRUST fault 8: PostgreSQL gives no more connections. Who cannot be served is told when to come back; nobody waits
for ever, and everything is well again with the end of the rush."""

import asyncio
import time
from collections import Counter

import httpx
import pytest

from tests.faults.plant import Plant

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]

CONNECTIONS, CLIENTS = 10, 200
"""Of a server with 20, a stack at rest has as many for itself."""


async def rush(plant: Plant, path: str, times: int) -> list[httpx.Response]:
    """Every client asks so many times, all of them at once."""
    headers = {"Authorization": f"Bearer {plant.key}"}
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=plant.stack.access["url"], headers=headers, limits=limits, timeout=60,
                                 trust_env=False) as client:  # fmt: skip
        return await asyncio.gather(*[client.get(path) for _ in range(CLIENTS * times)])


def test_two_hundred_clients_for_ten_connections(plant: Plant) -> None:
    began = time.monotonic()
    with plant.without_connections(but=CONNECTIONS):
        answers = asyncio.run(rush(plant, "/api/v1/jobs/", 1))
    assert time.monotonic() - began < 60, "somebody waited for ever"
    check(answers)
    assert Counter(answer.status_code for answer in answers)[200] >= CONNECTIONS
    well_again(plant)


def test_no_connection_is_left_at_all(plant: Plant) -> None:
    run = plant.start("gpucloud.check", {"steps": 3000, "seconds_per_step": 0.1})
    plant.until(lambda: run.refresh().state == "running", what="the run")
    with plant.without_connections() as held:
        assert held
        check(asyncio.run(rush(plant, "/api/v1/jobs/", 1)))
        assert httpx.get(f"{plant.gateway_url}/v2/health/ready", trust_env=False).status_code == 200
    well_again(plant)
    run.cancel()
    plant.until(lambda: run.refresh().ended, 30, "the end of the run")
    assert len(run["attempts"]) == 1
    plant.check_history()


def check(answers: list[httpx.Response]) -> None:
    assert {answer.status_code for answer in answers} <= {200, 503}, Counter(answer.status_code for answer in answers)
    for answer in answers:
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json()["code"] == "unavailable"


def well_again(plant: Plant) -> None:
    """Within seconds of the end every request is answered, and a job goes through."""
    plant.until(lambda: all(answer.status_code == 200 for answer in asyncio.run(rush(plant, "/health/ready", 1))), 15)
    plant.start("gpucloud.check", {"steps": 1}).wait(timeout_s=20)
