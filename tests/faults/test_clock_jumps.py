"""TRUST fault 15: the wall clock of a whole stack, PostgreSQL's included, jumps an hour forth and back."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clock import HOUR_S, Clock
from tests.faults.plant import Plant

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]

LEASE_S = 5


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    try:
        return Clock(tmp_path)
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def plant(tmp_path: Path, clock: Clock) -> Iterator[Plant]:
    plant = Plant(tmp_path, clock, AIFS_LEASE_S=str(LEASE_S), AIFS_HEARTBEAT_S="0.5")
    plant.up()
    yield plant
    plant.down()


def database_now(plant: Plant) -> float:
    return float(plant.rows("SELECT extract(epoch FROM now()) AS now")[0]["now"])


def attempts(plant: Plant, job: Any) -> list[dict[str, Any]]:
    return plant.rows("SELECT number, state FROM gpucloud_attempt WHERE job_id = %s ORDER BY number", job.id)


def test_an_hour_forth_and_back(plant: Plant, clock: Clock) -> None:
    """What runs goes on as the same attempt, what waits starts once, the node stays, and new work starts at once."""
    long = plant.start("gpucloud.check", {"steps": 2000, "seconds_per_step": 0.1, "checkpoint_every": 50})
    plant.until(lambda: long.refresh()["progress"].get("done"), what="the first step")
    for jump in (HOUR_S, -HOUR_S, -HOUR_S):
        before = database_now(plant)
        clock.move(jump)
        assert abs(database_now(plant) - before - jump) < 30, "PostgreSQL's clock has jumped"
        began = time.monotonic()
        short = plant.start("gpucloud.check", {"steps": 3})
        short.wait(timeout_s=LEASE_S + 10)
        assert [row["number"] for row in attempts(plant, short)] == [1]
        while time.monotonic() - began < LEASE_S + 2:  # a mass expiry would come with the next lease
            assert attempts(plant, long) == [{"number": 1, "state": "running"}], (jump, plant.story())
            assert plant.rows("SELECT state FROM gpucloud_node") == [{"state": "ready"}]
            time.sleep(0.5)
    long.cancel()
    plant.until(lambda: long.refresh().ended, 30, "the end")
    assert attempts(plant, long) == [{"number": 1, "state": "cancelled"}]
    plant.check_history()


def test_times_told_by_a_jumping_clock_are_put_right(clock: Clock) -> None:
    told = []
    for moved in (0, HOUR_S, -HOUR_S, -HOUR_S, HOUR_S):
        clock.move(moved)
        began, total = clock.jumps[-1]
        time.sleep(0.01)
        told += [(at, at + total) for at in (began, time.time())]
        told.append((time.time(), time.time()))  # by a run, whose clock does not jump
    for true, shown in told:
        assert clock.straight(shown) == pytest.approx(true, abs=1e-3)
