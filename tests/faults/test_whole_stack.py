"""TRUST faults 7, 18, 19 and 20 against a whole stack with a model behind its gateway, and the gateway killed while it
answers. Clients write down what they were told, and the judge compares."""

import contextlib
import functools
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults import run_processes
from tests.faults.clients import Records, Stream, chat, chat_stream, read, steadily
from tests.faults.plant import DEPLOYMENT, Plant
from tests.faults.rush import Rush

pytestmark = [pytest.mark.timed, pytest.mark.timeout(300)]

SLOW: dict[str, Any] = {"hidden_size": 256, "num_hidden_layers": 8, "max_position_embeddings": 4096}
"""Large enough that a stream takes seconds, and can be met in its middle."""
LONG: dict[str, Any] = {"max_tokens": 2000, "temperature": 1, "seed": 4}
"""A thousand tokens before the random model happens to end; its likeliest tokens would hold no text at all."""
RECOVERED_S = 5.0
RATE = 200
"""Requests a second whose answers come from elsewhere."""
OWN_RATE = 10
"""Requests a second to the web process and to a model of ours, on the same two cores."""


@pytest.fixture(scope="module", autouse=True)
def deployed(plant: Plant) -> Iterator[None]:
    plant.deploy(plant.import_model())
    plant.deploy(plant.import_model("slow", **SLOW), "slow", context_length=4096)
    yield
    for name in (DEPLOYMENT, "slow"):
        plant.client.deployments.delete(name)


def ask(plant: Plant, records: Records, **options: Any) -> Any:
    return functools.partial(chat, plant.gateway_url, plant.key, DEPLOYMENT, records, **options)


def stream(plant: Plant, records: Records, model: str = DEPLOYMENT, **options: Any) -> Any:
    return functools.partial(chat_stream, plant.gateway_url, plant.key, model, records, **options)


def look(plant: Plant, path: str) -> Any:
    return functools.partial(read, plant.stack.access["url"], plant.key, path, plant.records)


def test_every_process_is_exchanged_under_load(plant: Plant) -> None:
    """Fault 20: no request fails and no stream is cut, while each part gives way to a new one; a run goes on."""
    records, before = plant.records, plant.stack.processes()
    run = plant.start("gpucloud.check", {"steps": 1200, "seconds_per_step": 0.1})
    plant.until(lambda: run.refresh().state == "running", what="the run")
    works = [
        *[look(plant, "/api/v1/jobs/"), look(plant, "/health/ready")] * (OWN_RATE // 8),
        *[ask(plant, records), stream(plant, records)] * (OWN_RATE // 4),
    ]
    rush = Rush(plant.gateway_url, plant.key, "elsewhere", plant.outside, records, RATE)
    with rush.endpoint():
        plant.client.deployments.create(f"http://{plant.outside}", name="elsewhere")
        requests = records.requests
        with rush.going_on(), steadily(*works, every_s=len(works) / OWN_RATE), ThreadPoolExecutor(1) as pool:
            time.sleep(1)
            done = pool.submit(plant.stack.command, "restart").result()
            time.sleep(1)
    plant.client.deployments.delete("elsewhere")
    own = records.requests - requests - rush.sent
    print(f"{rush.sent} requests in {rush.took:.1f} s, and {own} of another kind")
    assert done.returncode == 0, done.stderr + done.stdout
    after = plant.stack.processes()
    assert {name for name in before if after[name] == before[name]} == {"postgres", "redis", "guardian", "supervisor"}
    assert not records.failures, records.failures[:5]
    assert rush.sent / rush.took > 0.99 * RATE and own / rush.took > OWN_RATE / 4, "too slow to have shown anything"
    assert run.refresh().state == "running" and len(run["attempts"]) == 1
    run.cancel()
    assert plant.rest(30)
    plant.check_history()


def test_postgresql_is_killed_under_load(plant: Plant) -> None:
    """Fault 7: what was acknowledged is there, the run goes on, the gateway answers all the time."""
    records = plant.records
    steps = 160
    run = plant.start("gpucloud.check", {"steps": steps, "seconds_per_step": 0.1, "checkpoint_every": 20})
    plant.until(lambda: run.refresh().state == "running", what="the run")

    def submit() -> None:
        try:
            plant.start("gpucloud.check", {"steps": 2})
        except Exception as error:
            records.fail("submit", getattr(error, "answered", 0), str(error))

    began, answered = time.monotonic(), len(records.answers)
    with steadily(submit, look(plant, "/api/v1/jobs/"), ask(plant, records), stream(plant, records), every_s=0.4):
        time.sleep(2)
        victim = plant.stack.processes()["postgres"]
        victim.send(signal.SIGQUIT)  # as pg_ctl stop -m immediate
        plant.stack.wait_for_others({"postgres": victim})
        recovered = time.monotonic()
        time.sleep(RECOVERED_S + 3)
    late = records.since(recovered + RECOVERED_S)
    assert not [failure for failure in late if failure.status == 0 or failure.status >= 500], late
    assert not [failure for failure in records.since(began) if failure.what in ("chat", "stream")]
    assert not [failure for failure in records.since(began) if failure.status not in (0, 502, 503)]
    assert len(records.answers) - answered > 20
    assert len(run.wait(timeout_s=60)["attempts"]) == 1
    series = run.metrics()["check"]["steps"]
    assert series == list(range(1, steps + 1)), "its points of the time without a database came later"
    assert plant.rest(60)
    plant.check_history()


def test_the_gateway_is_killed_while_it_answers(plant: Plant) -> None:
    """What had been delivered is on the bill, once, after the next gateway has come."""
    records = Records()
    with ThreadPoolExecutor(4) as pool:
        seen = [Stream() for _ in range(4)]
        for one in seen:
            pool.submit(stream(plant, records, "slow", **LONG, seen=one))
        plant.until(lambda: all(one.pieces > 20 for one in seen), 60, "20 pieces of each")
        killed = plant.stack.kill("gateway")
    plant.records.answers += records.answers
    plant.stack.wait_for_others(killed)
    assert not any(one.done for one in seen), seen
    plant.check_history()
    bills = {row["response_id"]: row for row in plant.rows("SELECT * FROM lms_usage WHERE status = 502")}
    assert {one.id for one in seen} <= set(bills)
    assert ask(plant, plant.records)() == 200


def test_clients_that_leave_stop_the_computation(plant: Plant) -> None:
    """Fault 17 through the whole stack: each is billed once, and for no less than it got."""
    records = Records()
    with ThreadPoolExecutor(4) as pool:
        leave = stream(plant, records, "slow", **LONG, leave_after=10)
        list(pool.map(lambda _number: leave(), range(8)))
    plant.records.answers += records.answers
    ids = {answer.id for answer in records.answers}
    assert len(ids) == 8, records.failures[:3]
    assert all(10 <= answer.completion_tokens < 500 and not answer.whole for answer in records.answers)
    plant.check_history()
    billed = plant.rows("SELECT response_id FROM lms_usage")
    assert sorted(row["response_id"] for row in billed if row["response_id"] in ids) == sorted(ids)


def instances(plant: Plant, name: str) -> list[dict[str, Any]]:
    return plant.rows(
        "SELECT job.id AS job, attempt.run_dir FROM lms_instance instance"
        " JOIN lms_deployment deployment ON deployment.id = instance.deployment_id"
        " JOIN gpucloud_job job ON job.id = instance.job_id"
        " JOIN gpucloud_attempt attempt ON attempt.job_id = job.id AND attempt.state = 'running'"
        " WHERE deployment.name = %s AND instance.stopped_at IS NULL ORDER BY instance.created_at", name,
    )  # fmt: skip


def test_a_replica_is_killed_while_it_answers(plant: Plant) -> None:
    """Fault 18: whole answers come all the same, and the instance is back."""
    plant.client.deployments.update(DEPLOYMENT, replicas=2)
    plant.until(lambda: len(instances(plant, DEPLOYMENT)) == 2, what="two replicas")
    plant.client.deployments.wait(DEPLOYMENT, timeout_s=90)
    records, began = plant.records, time.monotonic()
    with steadily(*[ask(plant, records)] * 3, every_s=0.1):
        time.sleep(1)
        victim = instances(plant, DEPLOYMENT)[0]["run_dir"]
        for pid, run in run_processes.of_homes([plant.stack.home.path]).items():
            if run == victim:
                with contextlib.suppress(ProcessLookupError):  # the child dies with its supervisor
                    os.kill(pid, signal.SIGKILL)
        time.sleep(3)
    assert not records.since(began), records.since(began)[:5]
    plant.until(lambda: len(instances(plant, DEPLOYMENT)) == 2, 60, "the replica's return")
    plant.client.deployments.update(DEPLOYMENT, replicas=1)
    plant.until(lambda: len(instances(plant, DEPLOYMENT)) == 1, 60, "the end of the second replica")
    plant.check_history()


def test_a_new_version_that_does_not_load_is_never_routed(plant: Plant) -> None:
    """Fault 19: the rollout stops, the deployment is degraded, the old version serves on."""
    bad = plant.import_model(seed=7)
    manifest = plant.rows("SELECT manifest FROM core_artefact WHERE id = %s", bad)[0]["manifest"]
    weights = next(entry for name, entry in manifest.items() if name.endswith(".safetensors"))
    stored = plant.stack.home.path / "storage" / "objects" / weights["sha256"][:2] / weights["sha256"]
    content = stored.read_bytes()
    stored.unlink()
    stored.write_bytes(content[:-64])
    served = instances(plant, DEPLOYMENT)[0]["job"]
    records, began = plant.records, time.monotonic()
    try:
        with steadily(ask(plant, records), every_s=0.2):
            plant.client.deployments.update(DEPLOYMENT, model=bad)
            state = lambda: plant.client.deployments.get(DEPLOYMENT)["state"]  # noqa: E731
            plant.until(lambda: state() == "degraded", 60, "the degraded state")
            tried = len(plant.rows("SELECT 1 FROM lms_instance"))
            time.sleep(12)  # longer than deployments are looked at again
        assert not records.since(began), records.since(began)[:5]
        assert [row["job"] for row in instances(plant, DEPLOYMENT)] == [served]
        assert len(plant.rows("SELECT 1 FROM lms_instance")) == tried, "it is not tried again and again"
    finally:
        stored.unlink()
        stored.write_bytes(content)
    plant.check_history()
