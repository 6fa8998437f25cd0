"""TRUST faults 3, 4, 5 and 22: bells rung twice, late or never, and two schedulers at once."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection, connections

from aifs.embedded.ports import free_port
from aifs.embedded.redis import Redis
from apps.core.models import Artefact
from apps.gpucloud.models import Attempt, Job, Lease
from apps.gpucloud.services import submit_job
from apps.gpucloud.services.attempts import claim_attempt
from apps.gpucloud.services.finishing import finish_attempt
from apps.gpucloud.services.nodes import register_node
from apps.gpucloud.services.scheduling import Clock, tick
from apps.gpucloud.services.wakeups import node_queue
from tests.factories import make_house

pytestmark = pytest.mark.fault


def ring(task: str, attempt: Attempt, queue: str, times: int) -> None:
    for _ in range(times):
        current_app.send_task(task, args=[str(attempt.pk)], queue=queue)


def test_a_message_delivered_again_and_again(installation):
    """At the start, in the middle and at the end: one live execution, one artefact."""
    installation.start_agent()
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


def test_redis_forgets_everything(installation):
    """FLUSHALL while jobs wait, run and finish: PostgreSQL is the truth, none is lost."""
    installation.start_agent()
    jobs = [installation.submit(steps=5, seconds_per_step=0.1) for _ in range(6)]
    server = redis.Redis.from_url(settings.REDIS_URL)
    for _ in range(20):
        server.flushall()
        threading.Event().wait(0.2)
    for job in jobs:
        assert installation.ended(job).state == "succeeded"
    installation.check_history()


def test_redis_is_killed_and_comes_back_empty(bare, tmp_path):
    """Jobs submitted before, while it is away and after all end well; bells ring again by themselves."""
    server = Redis(tmp_path / "redis", free_port(), "a-password-of-its-own", persistent=False)
    server.start()
    bare.environment["REDIS_URL"] = server.url
    try:
        bare.start_core()
        bare.start_agent()
        before = bare.submit(steps=60, seconds_per_step=0.1)
        bare.reached(before, 3)
        server.process.kill()
        server.process.wait()
        meanwhile = bare.submit(steps=2)
        bare.until(lambda: meanwhile.attempts.exclude(exit_code=None).exists(), 40, "a run without a bell")
        server.start()
        after = bare.submit(steps=2)
        for job in (before, meanwhile, after):
            assert bare.ended(job).state == "succeeded"
            assert job.attempts.count() == 1
        bare.check_history()
    finally:
        server.stop()


def test_two_agents_claim_one_attempt(transactional_db):
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


def test_schedulers_race_for_the_last_device(transactional_db):
    """A device is never lent twice, whoever is faster."""
    house = make_house()
    card = {"vendor": "nvidia", "index": 0, "uuid": "GPU-0", "model": "A100"}
    register_node("north", "default", uuid.uuid4(), {"cpus": 64, "memory_mib": 64_000}, [card])
    for _ in range(8):
        submit_job(house.actor("engineer"), house.project, "gpucloud.check", {}, resources={"accelerators": 1})
    barrier = threading.Barrier(4)

    def race(_: int) -> int:
        try:
            barrier.wait()
            return sum(tick(Clock()).placed for _ in range(25))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(race, range(4))) == 1
    assert Lease.objects.filter(accelerator__isnull=False, released_at__isnull=True).count() == 1
    assert Job.objects.filter(state="scheduled").count() == 1
    assert connection.is_usable()
