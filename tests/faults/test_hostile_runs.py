"""TRUST faults 13 and 14: a run that takes too much, or no longer listens, harms nobody but itself."""

import os
import signal
import time

import pytest
from django.db import transaction

from apps.gpucloud.models import Job, Lease
from apps.gpucloud.services import cancel_job
from tests.faults.installation import GRACE_S
from workers.supervise import stat_fields

pytestmark = pytest.mark.fault


def test_out_of_memory_is_named(installation):
    """Only this job fails, at once and for good: more attempts would end the same way."""
    installation.nodes("north")
    greedy = installation.submit(steps=5, memory_mib=400, seconds_per_step=1, resources={"memory_mib": 150})
    modest = installation.submit(steps=5, seconds_per_step=0.2)
    installation.ended(greedy)
    assert greedy.state == "failed" and greedy.reason["code"] == "out_of_memory"
    assert greedy.reason["data"]["memory_limit_mib"] == 150
    assert greedy.attempts.count() == 1 and greedy.attempts.get().peak_memory_mib > 150
    assert installation.ended(modest).state == "succeeded"
    installation.check_history()


def test_a_hung_child_that_ignores_everything_is_cancelled(installation):
    """SIGTERM ignored, SIGSTOPped: killed after the grace, its cores freed, nothing left."""
    installation.nodes("north")
    job = installation.submit(steps=5, fault="hang", fault_at_step=2)
    attempt = installation.reached(job, 1)
    child = installation.child(attempt)
    installation.until(lambda: stat_fields(child)[0] == "T", 10, "the hang")
    cancel_job(installation.house.actor("engineer"), job)
    asked = time.monotonic()
    assert installation.ended(job).state == "cancelled"
    assert time.monotonic() - asked >= GRACE_S * 0.9
    assert not Lease.objects.filter(released_at__isnull=True).exists()
    installation.check_history()


def test_a_frozen_agent_loses_its_run(installation):
    """The lease runs out: the supervisor ends the run although nobody tells it to, another node goes on, and the frozen
    agent changes nothing when it wakes."""
    installation.nodes("north", "south")
    job = installation.submit(steps=150, seconds_per_step=0.1, checkpoint_every=5)
    attempt = installation.reached(job, 7)
    child = installation.child(attempt)
    frozen = installation.processes[attempt.node.name]
    frozen.send_signal(signal.SIGSTOP)
    installation.until(lambda: not os.path.exists(f"/proc/{child}"), 20, "the end of the frozen agent's child")
    installation.until(lambda: job.attempts.count() == 2, 20, "a second attempt")
    frozen.send_signal(signal.SIGCONT)
    assert installation.ended(job).state == "succeeded"
    first, second = job.attempts.order_by("number")
    assert (first.state, second.state) == ("lost", "succeeded")
    installation.check_history()


def test_an_agent_frozen_inside_a_transaction_holds_no_lock(installation):
    """The database ends the session, else the job could never be taken back."""
    installation.nodes("north")
    job = installation.submit(steps=2000, seconds_per_step=0.01)
    attempt = installation.reached(job, 7)
    agent = installation.processes["north"]
    for _ in range(200):
        agent.send_signal(signal.SIGSTOP)
        if is_locked(job):
            break
        agent.send_signal(signal.SIGCONT)
        time.sleep(0.02)
    installation.until(lambda: job.attempts.filter(pk=attempt.pk, state="lost").exists(), 30, "the loss")
    installation.kill("north")
    cancel_job(installation.house.actor("engineer"), job)
    assert installation.ended(job).state == "cancelled"
    installation.nodes("north")
    installation.check_history()


def is_locked(job: Job) -> bool:
    with transaction.atomic():
        return not Job.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=job.pk).exists()


def test_a_frozen_supervisor_is_ended_by_the_agent(installation):
    installation.nodes("north")
    job = installation.submit(steps=500, seconds_per_step=0.1)
    attempt = installation.reached(job, 2)
    os.kill(installation.supervisor(attempt)["pid"], signal.SIGSTOP)
    cancel_job(installation.house.actor("engineer"), job)
    assert installation.ended(job).state == "cancelled"
    installation.check_history()


def test_a_planned_stop_is_no_failure(installation):
    """The agent is asked to end: the run writes a checkpoint, goes back into the queue and on at the next agent."""
    installation.nodes("north")
    job = installation.submit(steps=50, seconds_per_step=0.1)
    installation.reached(job, 5)
    installation.kill("north", signal.SIGTERM)
    job.refresh_from_db()
    assert (job.state, job.failures) == ("queued", 0)
    installation.nodes("north")
    assert installation.ended(job).state == "succeeded"
    first, second = job.attempts.order_by("number")
    assert (first.state, first.exit_code) == ("cancelled", os.EX_TEMPFAIL)
    assert second.resumed_from_step >= 5
    installation.check_history()


def test_an_error_of_the_run_is_shown_and_not_repeated(installation):
    installation.nodes("north")
    job = installation.submit(steps=5, fault="error", fault_at_step=2)
    installation.ended(job)
    assert (job.state, job.reason["code"], job.attempts.count()) == ("failed", "internal_error", 1)
    assert "this error was asked for" in job.reason["data"]["error"]
    installation.check_history()
