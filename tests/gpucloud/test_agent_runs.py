"""How a run ends whose files storage did not take. What it left lies in its directory; the real `Run` tends it, and its
transfers are done at once."""

import errno
import json
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from apps.core.storage import Storage
from apps.gpucloud.agent import run as agent_run
from apps.gpucloud.agent.processes import Supervisors
from apps.gpucloud.agent.run import Run
from apps.gpucloud.models import Job
from apps.gpucloud.services import cancel_job
from tests.gpucloud.pieces import fresh, schedule, started
from workers import disk

pytestmark = pytest.mark.django_db

FULL, BROKEN = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error")
CHECKPOINT = {"type": "checkpoint", "step": 5, "path": "checkpoints/5"}
RESULT = {"type": "artefact", "name": "model", "artefact_type": "model", "path": "outputs/model"}
STOPPED = 75


class Inline(Executor):
    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Any:
        return agent_run._at_once(partial(work, *arguments, **named))


@pytest.fixture
def refusing(monkeypatch: Any, settings: Any, tmp_path: Path) -> Any:
    """Lets storage refuse every checkpoint, or every result, with an error."""
    settings.STORAGE_URL = f"file://{tmp_path / 'storage'}"
    monkeypatch.setattr(agent_run, "UPLOAD_TRIES", 1)

    def refuse(error: OSError, *names: str) -> None:
        def fail(*_: Any) -> None:
            raise error

        for name in names:
            monkeypatch.setattr(Storage, name, fail)

    return refuse


@pytest.fixture
def left(tmp_path: Path) -> Any:
    """The newest attempt of a job, tended when its run has left these files and this exit status."""

    def left(job: Job, *events: dict[str, Any], code: int = 0) -> Run:
        schedule()
        claim = started(job)
        directory = tmp_path / str(claim.fence)
        for event in events:
            (directory / event["path"]).mkdir(parents=True)
            (directory / event["path"] / "state.json").write_text("{}")
        (directory / "events.jsonl").write_text("".join(json.dumps({**event, "t": 1.0}) + "\n" for event in events))
        (directory / "exit.json").write_text(json.dumps({"code": code}))
        run = Run(claim, directory, Inline(), Supervisors())
        run.launched = run.told = True
        return run

    return left


def end(run: Run) -> None:
    for _ in range(5):
        run.tend()
        if run.done:
            return
    raise AssertionError("it does not end")


def test_a_result_that_was_not_stored_is_made_again_within_bounds(check, node, left, refusing):
    job = check(max_attempts=2)
    refusing(BROKEN, "put_tree")
    end(left(job, RESULT))
    assert (fresh(job).state, fresh(job).failures, fresh(job).reason["code"]) == ("queued", 1, "storage_failed")
    assert "Input/output error" in fresh(job).reason["data"]["error"]
    Job.objects.update(not_before=None)
    end(left(job, RESULT))
    assert (fresh(job).state, fresh(job).reason["code"]) == ("failed", "storage_failed")
    assert fresh(job).attempts.count() == 2


def test_a_lost_checkpoint_does_not_fail_a_run_that_ended_well(check, node, left, refusing):
    job = check()
    refusing(BROKEN, "put_checkpoint")
    run = left(job, CHECKPOINT, RESULT)
    end(run)
    assert run.asked_at is None, "nor does it end one"
    assert fresh(job).attempts.get().state == "finishing"
    assert not job.checkpoints.exists()


def test_a_result_that_is_stored_needs_no_checkpoint(check, node, left, refusing):
    job = check()
    refusing(FULL, "put_checkpoint")
    end(left(job, CHECKPOINT, RESULT))
    assert fresh(job).attempts.get().state == "finishing"


@pytest.mark.parametrize(
    ("event", "refused", "code"), [(CHECKPOINT, "put_checkpoint", STOPPED), (RESULT, "put_tree", 0)]
)
def test_full_storage_ends_the_run_and_pauses_the_job(check, node, left, refusing, event, refused, code):
    job = check()
    refusing(FULL, refused)
    run = left(job, event, code=code)
    end(run)
    assert run.asked_at is not None
    assert (fresh(job).state, fresh(job).failures) == ("paused", 0)
    assert (fresh(job).reason["code"], fresh(job).reason["data"]["where"]) == ("disk_full", "storage")


def test_more_space_than_storage_could_have_is_not_waited_for(check, node, left, refusing, monkeypatch):
    monkeypatch.setattr(disk, "used_mib", lambda folder: 1_000_000_000)
    job = check()
    refusing(FULL, "put_tree")
    run = left(job, RESULT)
    end(run)
    assert fresh(job).reason["data"]["needed_mib"] < disk.total_mib(run.dir)


@pytest.mark.parametrize("heard", [True, False])
def test_a_cancelled_job_has_no_use_for_space(check, node, house, left, refusing, heard):
    """Also when the agent has not heard of it yet."""
    job = check()
    refusing(FULL, "put_checkpoint")
    run = left(job, CHECKPOINT, code=STOPPED)
    cancel_job(house.actor("engineer"), job)
    if heard:
        run.ask_to_stop(cancel=True)
    end(run)
    assert fresh(job).state == "cancelled"
    assert bool(fresh(job).attempts.get().reason) == (not heard)


def test_a_drained_job_waits_for_space_too(check, node, left, refusing):
    """On another node it would fare no better."""
    job = check()
    refusing(FULL, "put_checkpoint")
    run = left(job, CHECKPOINT, code=STOPPED)
    run.ask_to_stop(cancel=False)
    end(run)
    assert (fresh(job).state, fresh(job).reason["code"]) == ("paused", "disk_full")
