"""One tick: what is placed where, what waits and why, what is taken back."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from apps.gpucloud.jobs import GpucloudHandler
from apps.gpucloud.models import Accelerator, Job, JobEvent, Lease, Node
from apps.gpucloud.services.attempts import hand_to_finisher, renew_leases
from apps.gpucloud.services.finishing import finish_attempt
from apps.gpucloud.services.nodes import beat, store_devices
from apps.gpucloud.services.restored import let_go_of_nodes
from apps.gpucloud.services.scheduling import Clock, Every, ring_finishers_again, tick
from tests.gpucloud.pieces import expire, fresh, gpu, make_node, schedule, started

pytestmark = pytest.mark.django_db


def states(*jobs):
    return [fresh(job).state for job in jobs]


def test_a_job_gets_cores_and_a_fence(check, node):
    job = check(resources={"cpus": 2, "memory_mib": 500})
    assert schedule().placed == 1
    attempt = job.attempts.get()
    lease = attempt.leases.get()
    assert (fresh(job).state, lease.cpus, lease.memory_mib, lease.fence) == ("scheduled", 2, 500, attempt.fence)
    assert schedule().placed == 0


def test_fences_grow(check, node):
    jobs = [check() for _ in range(3)]
    schedule()
    fences = [job.attempts.get().fence for job in jobs]
    assert fences == sorted(set(fences))


def test_a_full_node_makes_jobs_wait_and_says_why(check, node):
    jobs = [check(resources={"cpus": 2}) for _ in range(3)]
    assert schedule().placed == 2, "two cores, promised twice"
    waiting = fresh(jobs[2])
    assert waiting.reason["code"] == "cores_busy" and waiting.reason["data"] == {"cpus": 2}


@pytest.mark.parametrize(
    ("resources", "code"),
    [
        ({"cpus": 99}, "too_large"),
        ({"memory_mib": 999_999}, "too_large"),
        ({"accelerators": 1}, "too_few_accelerators"),
    ],
)
def test_what_no_node_has_is_said(check, node, resources, code):
    job = check(resources=resources)
    schedule()
    assert fresh(job).reason["code"] == code


def test_without_nodes_it_is_said(check, db):
    job = check()
    schedule()
    assert fresh(job).reason["code"] == "no_node"


def test_higher_priority_goes_first_then_the_older(check, node):
    low, high, older = check(), check(priority=5), None
    older = check(priority=5)
    Job.objects.filter(pk__in=[low.pk, high.pk, older.pk]).update(resources={"cpus": 4})
    schedule()
    assert states(low, high, older) == ["queued", "scheduled", "queued"]


def test_all_devices_or_none(check, db):
    make_node("north", [gpu(0)])
    make_node("south", [gpu(0), gpu(1)])
    job = check(resources={"accelerators": 2})
    schedule()
    held = job.attempts.get().leases.filter(accelerator__isnull=False)
    assert {lease.node.name for lease in held} == {"south"} and held.count() == 2
    second = check(resources={"accelerators": 2})
    schedule()
    assert fresh(second).state == "queued" and fresh(second).reason["code"] == "accelerators_busy"
    assert Lease.objects.filter(accelerator__isnull=False).count() == 2, "nothing is held while it waits"


def test_a_gang_is_of_one_vendor(check, db):
    make_node("mixed", [gpu(0), gpu(1, "ascend")])
    job = check(resources={"accelerators": 2})
    schedule()
    assert fresh(job).state == "queued"
    one = check(resources={"accelerators": 1, "vendor": "ascend"})
    schedule()
    assert one.attempts.get().leases.get(accelerator__isnull=False).accelerator.vendor == "ascend"


def test_a_device_that_is_missing_or_sick_is_not_lent(check, db):
    node = make_node("north", [gpu(0)])
    store_devices(node, [])
    assert Accelerator.objects.get().health == "missing"
    job = check(resources={"accelerators": 1})
    schedule()
    assert fresh(job).state == "queued"
    store_devices(node, [gpu(0)])
    schedule()
    assert fresh(job).state == "scheduled"


def test_small_jobs_slip_past_a_large_one_but_not_for_ever(check, node):
    """Backfill, until the large one has waited long enough for the node to be kept for it."""
    blocker = check(resources={"cpus": 2})
    schedule()
    large = check(resources={"cpus": 4})
    small = check(resources={"cpus": 1})
    schedule()
    assert states(blocker, large, small) == ["scheduled", "queued", "scheduled"]
    Job.objects.filter(pk=large.pk).update(queued_at="2020-01-01T00:00:00Z")
    late = check(resources={"cpus": 1})
    schedule()
    assert states(large, late) == ["queued", "queued"]


def test_cordoned_and_silent_nodes_get_nothing(check, node):
    Node.objects.update(state="cordoned")
    job = check()
    schedule()
    assert fresh(job).state == "queued"
    Node.objects.update(state="ready", heartbeat_at="2020-01-01T00:00:00Z")
    schedule()
    assert fresh(job).state == "queued" and Node.objects.get().state == "lost"


def test_a_job_waits_for_those_before_it(check, node):
    first = check(name="first")
    second = check(after=[first])
    schedule()
    assert states(first, second) == ["scheduled", "queued"]
    assert fresh(second).reason["data"]["name"] == "first"
    claim = started(first)
    hand_to_finisher(claim, {}, {"code": 0})
    finish_attempt(claim.attempt_id)
    schedule()
    assert states(first, second) == ["succeeded", "scheduled"]


def test_a_job_fails_with_the_one_before_it(check, node):
    first = check(resources={"cpus": 99})
    second = check(after=[first])
    third = check(after=[second])
    Job.objects.filter(pk=first.pk).update(state="failed")
    schedule()
    schedule()
    assert fresh(second).reason["code"] == "dependency_failed"
    assert states(second, third) == ["failed", "failed"]


def test_an_expired_lease_is_taken_back(check, node):
    job = check()
    schedule()
    started(job)
    attempt = job.attempts.get()
    expire(attempt)
    assert schedule().lost == 1
    attempt.refresh_from_db()
    assert attempt.state == "lost" and attempt.reason["data"] == {"node": "north"}
    assert not attempt.leases.filter(released_at__isnull=True).exists()
    again = fresh(job)
    assert (again.failures, again.attempt_count) == (1, 2), "the same tick places it again"


def test_a_bug_in_one_handler_does_not_stop_the_others(check, node, monkeypatch):
    sick, well = check(name="sick"), check(name="well")
    schedule()
    for job in (sick, well):
        started(job)
        expire(job.attempts.get())
    monkeypatch.setattr(GpucloudHandler, "on_requeue", lambda _self, job: 1 / 0 if job.pk == sick.pk else None)
    assert schedule().lost == 1
    assert (fresh(sick).state, fresh(well).attempt_count) == ("running", 2)


def test_an_attempt_nobody_took_is_no_failure(check, node):
    job = check()
    schedule()
    expire(job.attempts.get())
    schedule()
    assert fresh(job).failures == 0


@pytest.mark.parametrize("state", ["draining", "cordoned"])
def test_a_closed_node_that_falls_silent_is_closed_when_it_is_heard_again(check, node, state):
    Node.objects.update(state=state, heartbeat_at="2020-01-01T00:00:00Z")
    schedule()
    assert beat(node.pk, node.agent_id, {}) == state
    assert schedule().placed == 0


@pytest.mark.parametrize("state", ["ready", "draining", "cordoned"])
def test_a_node_that_was_closed_when_the_backup_was_made_stays_closed(check, node, state):
    Node.objects.update(state=state)
    let_go_of_nodes()
    assert make_node(node.name).state == state
    check()
    assert schedule().placed == (state == "ready")


def test_lost_too_often_is_the_end(check, node):
    job = check(max_attempts=2)
    for _ in range(2):
        schedule()
        started(job)
        expire(job.attempts.latest("number"))
    schedule()
    assert (fresh(job).state, fresh(job).reason["code"]) == ("failed", "node_lost")


def test_a_renewed_lease_lives(check, node):
    job = check()
    schedule()
    claim = started(job)
    expire(job.attempts.get())
    renew_leases([claim.attempt_id])
    assert schedule().lost == 0


def test_a_lost_lease_is_not_renewed(check, node):
    job = check()
    schedule()
    claim = started(job)
    expire(job.attempts.get())
    Node.objects.update(state="cordoned")
    schedule()
    renew_leases([claim.attempt_id])
    assert not Lease.objects.filter(expires_at__gt=Now()).exists()


def steady(settings) -> Clock:
    """One that has looked for a while, at a database that has run for longer than a lease."""
    settings.AIFS_LEASE_S = 0.5  # a test's PostgreSQL has only just been started
    clock = Clock()
    clock.quiet_until = 0.0
    return clock


def held_and_expired(check):
    job = check()
    schedule()
    started(job)
    expire(job.attempts.get())


def test_who_has_looked_for_a_while_takes_back_what_expired(check, node, settings):
    held_and_expired(check)
    assert tick(steady(settings)).lost == 1


def test_nothing_expires_right_after_the_database_came_back(check, node, settings, monkeypatch):
    held_and_expired(check)
    clock = steady(settings)
    monkeypatch.setattr("apps.gpucloud.services.scheduling.lease_time", lambda: timedelta(days=999))
    assert tick(clock).lost == 0


def test_nothing_expires_after_a_clock_jump(check, node, settings):
    """An hour's jump of the database's clock is seen against this process's own."""
    held_and_expired(check)
    clock = steady(settings)
    clock.last = (time.monotonic(), timezone.now() - timedelta(hours=1))
    assert tick(clock).lost == 0
    clock.quiet_until = 0.0
    assert tick(clock).lost == 1


def test_nothing_expires_when_the_database_was_out_of_reach(check, node, settings):
    """It went on, and had no connection for anybody: the agents could renew as little as this process could look."""
    held_and_expired(check)
    clock = steady(settings)
    clock.reached_at -= 60
    assert tick(clock).lost == 0
    clock.quiet_until = 0.0
    assert tick(clock).lost == 1


def test_a_scheduler_that_has_just_begun_lets_nothing_expire(check, node, settings):
    held_and_expired(check)
    settings.AIFS_LEASE_S = 0.5
    clock = Clock()
    assert tick(clock).lost == 0
    clock.quiet_until -= 0.5
    assert tick(clock).lost == 1


def test_a_finisher_that_was_not_heard_is_rung_again(check, node, monkeypatch):
    rung = []
    monkeypatch.setattr("apps.gpucloud.services.scheduling.wake_finisher", rung.append)
    job = check()
    schedule()
    claim = started(job)
    hand_to_finisher(claim, {}, {"code": 0})
    ring_finishers_again()
    assert rung == [], "it has only just been rung"
    Lease.objects.update(released_at="2020-01-01T00:00:00Z")
    ring_finishers_again()
    assert rung == [claim.attempt_id]


def test_what_is_done_less_often_than_a_tick(monkeypatch):
    """Ticks of an unlucky length do not put it off."""
    bell = Every(5)
    due = []
    for now in (100.0, 103.4, 106.8, 110.2, 113.6, 117.0):
        monkeypatch.setattr("apps.gpucloud.services.scheduling.time", SimpleNamespace(monotonic=lambda at=now: at))
        due.append(bell.is_due())
    assert due == [True, False, True, False, True, False]


def test_every_change_of_state_is_an_event(check, node):
    job = check()
    schedule()
    started(job)
    told = JobEvent.objects.filter(job=job, type="state").order_by("seq").values_list("data__state", flat=True)
    assert list(told) == ["queued", "scheduled", "preparing", "running"]


def test_a_thousand_waiting_jobs_are_looked_at_quickly(house, node):
    """The promise is 100 ms on a quiet machine; the processor time of a tick says it on a busy one too."""

    Job.objects.bulk_create(
        Job(
            project=house.project,
            kind="gpucloud.check",
            resources={"cpus": 4, "memory_mib": 0, "accelerators": 0, "vendor": "", "timeout_s": 0},
        )
        for _ in range(1_000)
    )
    schedule()
    spent = []
    for _ in range(3):
        began = time.process_time()
        assert schedule().waiting == 999
        spent.append(time.process_time() - began)
    assert min(spent) < 0.1
