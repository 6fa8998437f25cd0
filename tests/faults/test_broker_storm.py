"""TRUST fault 6: for a while Redis breaks every connection; workers consume again within seconds of the end."""

import threading
import time
import uuid
from typing import Any

import pytest
import redis
from celery import Celery

from aifs.embedded.redis import Redis
from apps.gpucloud.services.wakeups import CONTROL_QUEUE, node_queue

pytestmark = pytest.mark.timed

STORM_S, EVERY_S = 20.0, 0.1
CONSUMES_AGAIN_S = 5.0


def storm(server: Redis) -> int:
    """Cut every connection, again and again. Returns how many were cut."""
    cut, until = 0, time.monotonic() + STORM_S
    with redis.Redis.from_url(server.url) as client:
        while time.monotonic() < until:
            for kind in ("normal", "pubsub"):
                cut += int(client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"))
            time.sleep(EVERY_S)
    return cut


def test_workers_consume_again_after_the_storm(bare: Any, redis_server: Redis) -> None:
    bare.start_core()
    bare.start_agent()
    before = bare.submit(steps=5)
    bare.ended(before)
    submitted: list[Any] = [bare.submit(steps=150, seconds_per_step=0.1)]
    cut: list[int] = []
    raging = threading.Thread(target=lambda: cut.append(storm(redis_server)))
    raging.start()
    while raging.is_alive():
        submitted.append(bare.submit(steps=1))
        time.sleep(1)
    raging.join()
    ended = time.monotonic()
    bell = Celery("bell", broker=redis_server.url, set_as_current=False)
    bell.conf.task_ignore_result = True
    tasks = {CONTROL_QUEUE: "gpucloud.finish_attempt", node_queue("north"): "gpucloud.attempt_changed"}
    with redis.Redis.from_url(redis_server.url) as client:
        for queue, task in tasks.items():
            bell.send_task(task, args=[str(uuid.uuid4())], queue=queue)
        for queue in tasks:
            bare.until(lambda queue=queue: not client.llen(queue), CONSUMES_AGAIN_S, f"a consumer of {queue}")
    print(f"{cut[0]} connections cut; consumed again {time.monotonic() - ended:.2f} s after the end")
    assert cut[0] > 100
    for job in submitted:
        assert bare.ended(job).state == "succeeded"
        assert job.attempts.count() == 1
    bare.check_history()
