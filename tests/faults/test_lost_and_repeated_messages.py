"""TRUST faults 3, 4, 5 and 22: bells rung twice, late or never, and two schedulers at once."""

import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection, connections

from aifs.embedded.redis import Redis
from apps.core.models import Artefact
from apps.gpucloud.models import Attempt
from apps.gpucloud.services import submit_job
from apps.gpucloud.services.attempts import claim_attempt
from apps.gpucloud.services.finishing import finish_attempt
from apps.gpucloud.services.nodes import register_node
from apps.gpucloud.services.scheduling import Clock, tick
from apps.gpucloud.services.wakeups import node_queue
from tests.factories import make_house
from tests.faults.history import History
from tests.faults.installation import CORE, IMPATIENT
from tests.lms.serving import database_url

pytestmark = pytest.mark.fault

ENQUEUED_AGAIN_S = 15.0


def ring(task: str, attempt: Attempt, queue: str, times: int) -> None:
    for _ in range(times):
        current_app.send_task(task, args=[str(attempt.pk)], queue=queue)


def test_a_message_delivered_again_and_again(installation):
    """At the start, in the middle and at the end: one live execution, one artefact."""
    installation.nodes("north")
    job = installation.submit(steps=30, seconds_per_step=0.1)
    attempt = installation.until(lambda: job.attempts.first(), what="an attempt")
    ring("gpucloud.attempt_changed", attempt, node_queue("north"), 5)
    attempt = installation.reached(job, 5)
    ring("gpucloud.attempt_changed", attempt, node_queue("north"), 5)
    ring("gpucloud.finish_attempt", attempt, "control", 3)
    assert len(installation._children(attempt)) == 1
    assert installation.ended(job).state == "succeeded"
    ring("gpucloud.finish_attempt", attempt, "control", 3)
    ring("gpucloud.attempt_changed", attempt, node_queue("north"), 3)
    assert not finish_attempt(attempt.pk)
    assert Artefact.objects.filter(job_id=job.pk).count() == 1
    series = [step for chunk in job.metric_chunks.order_by("id") for step in chunk.steps]
    assert series == list(range(1, 31))
    installation.check_history()


TOLD = r"finish_attempt\[(\S+)\] (received|succeeded)"


def told(place: Any, finisher: str) -> list[tuple[str, str]]:
    """What a finisher says of its tasks: their ids, and how far they are."""
    return re.findall(TOLD, (place.home / f"{finisher}.log").read_text())


def test_a_long_task_is_delivered_again_while_it_runs(bare: Any, redis_server: Redis) -> None:
    """Fault 3: a finisher takes longer than the broker waits for it, so that a second one is given the very same
    message. One of the two registers the results, the other ends without effect."""
    bare.start("scheduler", CORE["scheduler"])
    bare.nodes("north")
    job = bare.submit(steps=2)
    attempt = bare.until(lambda: job.attempts.filter(state="finishing").first(), what="results to register")
    bare.kill("scheduler")  # it would ring again
    with psycopg.connect(bare.environment["DATABASE_URL"]) as holder:
        holder.execute("SELECT FROM gpucloud_job WHERE id = %s FOR UPDATE", [job.pk])  # both have to wait for us
        for finisher in ("first", "second"):
            bare.start(finisher, IMPATIENT)
            bare.until(lambda name=finisher: told(bare, name), what=f"the message at the {finisher} finisher")
        assert told(bare, "first") == told(bare, "second"), "it is the same message, and neither is done with it"
    assert bare.ended(job).state == "succeeded"
    for finisher in ("first", "second"):
        bare.until(lambda name=finisher: len(told(bare, name)) == 2, what=f"the end of the {finisher} task")
    assert Artefact.objects.filter(job_id=job.pk).count() == 1
    assert job.attempts.get().fence == attempt.fence
    bare.check_history()


def test_redis_forgets_everything(installation):
    """FLUSHDB while jobs wait, run and finish: PostgreSQL is the truth, none is lost, and none waits for long."""
    installation.nodes("north")
    jobs = [installation.submit(steps=5, seconds_per_step=0.1) for _ in range(6)]
    server = redis.Redis.from_url(settings.REDIS_URL)
    for _ in range(20):
        server.flushdb()
        threading.Event().wait(0.2)
    flushed = time.monotonic()
    for job in jobs:
        assert installation.ended(job).state == "succeeded"
    assert time.monotonic() - flushed < ENQUEUED_AGAIN_S
    installation.check_history()


def test_redis_is_killed_and_comes_back_empty(bare, redis_server):
    """Jobs submitted before, while it is away and after all end well; bells ring again by themselves."""
    bare.start_core()
    bare.nodes("north")
    before = bare.submit(steps=60, seconds_per_step=0.1)
    bare.reached(before, 3)
    redis_server.process.kill()
    redis_server.process.wait()
    meanwhile = bare.submit(steps=2)
    bare.until(lambda: meanwhile.attempts.exclude(exit_code=None).exists(), 40, "a run without a bell")
    redis_server.start()
    back, after = time.time(), bare.submit(steps=2)
    for job in (before, meanwhile, after):
        assert bare.ended(job).state == "succeeded"
        assert job.attempts.count() == 1
    for job in (meanwhile, after):
        assert job.ended_at.timestamp() - back < ENQUEUED_AGAIN_S
    bare.check_history()


def test_two_agents_claim_one_attempt(transactional_db, tmp_path):
    """The claim is one conditional UPDATE: of many at the same time, one gets it."""
    house = make_house()
    node = register_node("north", "default", uuid.uuid4(), {"cpus": 2, "memory_mib": 4000}, [])
    job = submit_job(house.actor("engineer"), house.project, "gpucloud.check", {})
    tick(Clock())
    attempt = job.attempts.get()

    def claim(_: int) -> bool:
        try:
            return claim_attempt(attempt.pk, node.pk, "/nowhere") is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(claim, range(12))) == 1
    assert not History(database_url(), tmp_path, [], settled=False).violations()


ROUNDS, SCHEDULERS = 1000, 2
AGAIN = (
    "UPDATE gpucloud_lease SET released_at = now() WHERE released_at IS NULL",
    "UPDATE gpucloud_attempt SET state = 'lost', ended_at = now() WHERE state = 'assigned'",
    "UPDATE gpucloud_job SET state = 'queued' WHERE state = 'scheduled'",
)
"""The device is free again, and what had it waits again."""


def test_schedulers_race_for_the_last_device(transactional_db, tmp_path):
    """Fault 22: a device is never lent twice, whoever is faster, in a thousand races of two."""
    house = make_house()
    card = {"vendor": "nvidia", "index": 0, "uuid": "GPU-0", "model": "A100"}
    node = register_node("north", "default", uuid.uuid4(), {"cpus": 64, "memory_mib": 64_000}, [card])
    for _ in range(2):
        submit_job(house.actor("engineer"), house.project, "gpucloud.check", {}, resources={"accelerators": 1})
    lent: list[int] = []

    def between_rounds() -> None:
        """One thread does this while the other waits."""
        with connection.cursor() as cursor:
            held = "accelerator_id IS NOT NULL AND released_at IS NULL"
            cursor.execute(f"SELECT count(*) FROM gpucloud_lease WHERE {held}")  # noqa: S608 - ours
            lent.append(cursor.fetchone()[0])
            for statement in AGAIN:
                cursor.execute(statement)
            cursor.execute("UPDATE gpucloud_node SET heartbeat_at = now()")

    barrier, after = threading.Barrier(SCHEDULERS), threading.Barrier(SCHEDULERS, between_rounds)

    def race(_: int) -> int:
        placed, clock = 0, Clock()
        try:
            for _round in range(ROUNDS):
                barrier.wait(30)
                placed += tick(clock).placed
                after.wait(30)
            return placed
        finally:
            connections.close_all()

    with ThreadPoolExecutor(SCHEDULERS) as pool:
        placed = list(pool.map(race, range(SCHEDULERS)))
    assert set(lent) == {1} and sum(placed) == len(lent) == ROUNDS
    assert all(placed), "both have won races"
    assert Attempt.objects.filter(node=node).count() == ROUNDS
    found = History(database_url(), tmp_path, [], settled=False).violations()
    assert not [violation for violation in found if violation.rule == "leases_returned"], "the rest was played"
    assert connection.is_usable()
