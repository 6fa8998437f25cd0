"""The end of an attempt: registered once, or refused with a reason."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.core.models import Artefact
from apps.gpucloud.jobs import GpucloudHandler
from apps.gpucloud.models import Job, Lease
from apps.gpucloud.services.attempts import close_failed, close_stopped, hand_to_finisher
from apps.gpucloud.services.finishing import finish_attempt
from apps.gpucloud.services.jobs import request_cancel
from apps.gpucloud.services.transitions import NO_PAUSE, RETRY_PAUSES_S, StaleFence, reason
from tests.gpucloud.pieces import fresh, schedule, started

pytestmark = pytest.mark.django_db

OUTPUT = {"report": {"type": "node_report", "manifest": {}, "sha256": "", "size_bytes": 0, "meta": {"steps": 1}}}
CRASH = reason("crashed", "It crashed.")


@pytest.fixture
def job(check, node):
    job = check()
    schedule()
    return job


@pytest.fixture
def claim(job):
    return started(job)


def test_results_are_registered_once(job, claim):
    hand_to_finisher(claim, OUTPUT, {"code": 0, "peak_memory_mib": 30, "cpu_s": 1.5})
    assert not Lease.objects.filter(released_at__isnull=True).exists(), "the device is free before the results are in"
    assert finish_attempt(claim.attempt_id) and not finish_attempt(claim.attempt_id)
    artefact = Artefact.objects.get(job_id=job.pk)
    done = fresh(job)
    assert (done.state, done.outputs["report"]["id"]) == ("succeeded", str(artefact.pk))
    assert artefact.meta == {"steps": 1, "node": "north"}


def test_a_stale_attempt_cannot_hand_in(job, claim):
    hand_to_finisher(claim, OUTPUT, {"code": 0})
    finish_attempt(claim.attempt_id)
    with pytest.raises(StaleFence):
        hand_to_finisher(claim, OUTPUT, {"code": 0})
    with pytest.raises(StaleFence):
        close_failed(claim, CRASH, {}, again=True)


def test_a_refused_result_fails_the_job_and_leaves_nothing(job, claim, monkeypatch):
    def refuse(self, job, attempt):
        Artefact.objects.create(project=job.project, type="x", name="half")
        raise InvalidInput("The report is empty.", hint="Try again.")

    monkeypatch.setattr(GpucloudHandler, "finish", refuse)
    hand_to_finisher(claim, OUTPUT, {"code": 0})
    finish_attempt(claim.attempt_id)
    assert (fresh(job).state, fresh(job).reason["message"]) == ("failed", "The report is empty.")
    assert not Artefact.objects.exists()


def test_a_bug_in_finish_fails_the_job(job, claim, monkeypatch):
    monkeypatch.setattr(GpucloudHandler, "finish", lambda *_: 1 / 0)
    hand_to_finisher(claim, OUTPUT, {"code": 0})
    finish_attempt(claim.attempt_id)
    assert fresh(job).reason["code"] == "finish_failed"


def test_a_database_that_goes_away_leaves_it_to_be_finished(job, claim, monkeypatch):
    def gone(*_):
        raise OperationalError("gone")

    hand_to_finisher(claim, OUTPUT, {"code": 0})
    with monkeypatch.context() as patch:
        patch.setattr(GpucloudHandler, "finish", gone)
        with pytest.raises(OperationalError):
            finish_attempt(claim.attempt_id)
    assert finish_attempt(claim.attempt_id) and fresh(job).state == "succeeded"


def test_a_cancel_before_the_finish_wins(job, claim):
    hand_to_finisher(claim, OUTPUT, {"code": 0})
    request_cancel(job)
    finish_attempt(claim.attempt_id)
    assert fresh(job).state == "cancelled" and not Artefact.objects.exists()


def test_a_crash_is_tried_again_after_a_pause(job, claim):
    close_failed(claim, CRASH, {"code": -9}, again=True)
    again = fresh(job)
    assert (again.state, again.failures, again.not_before) == ("queued", 1, None)
    schedule()
    close_failed(started(job), CRASH, {"code": -9}, again=True)
    waiting = fresh(job)
    assert waiting.not_before is not None and schedule().placed == 0
    assert tuple(sorted(RETRY_PAUSES_S)) == RETRY_PAUSES_S
    assert timedelta(seconds=RETRY_PAUSES_S[-1]) < NO_PAUSE
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() + NO_PAUSE - timedelta(seconds=9))
    assert schedule().placed == 0
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() + timedelta(hours=1))
    assert schedule().placed == 1, "the clock was put back an hour"


def test_a_failure_for_good_is_the_end(job, claim):
    close_failed(claim, CRASH, {"code": 1}, again=False)
    assert (fresh(job).state, job.attempts.get().exit_code) == ("failed", 1)


def test_a_planned_stop_goes_back_without_a_mark(job, claim):
    close_stopped(claim, {"code": 75})
    assert (fresh(job).state, fresh(job).failures) == ("queued", 0)


def test_a_cancelled_run_ends_cancelled(job, claim):
    request_cancel(job)
    assert fresh(job).state == "running", "its processes are still there"
    close_stopped(claim, {"code": 75})
    assert fresh(job).state == "cancelled"
