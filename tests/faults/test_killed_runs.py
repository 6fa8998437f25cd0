"""TRUST faults 1, 2, 10 and 11: what is killed goes on from the newest whole checkpoint, and ends the same.
Training runs and the time of a takeover: test_killed_training.py."""

import hashlib
import os
import signal
from pathlib import Path

import pytest

from apps.gpucloud.agent.processes import read_json
from apps.gpucloud.models import Checkpoint, Job

pytestmark = pytest.mark.fault


def digest(steps: int, seed: int = 42) -> str:
    """What an unbroken run of `gpucloud.check` ends with."""
    value = ""
    for step in range(1, steps + 1):
        value = hashlib.sha256(f"{value}:{seed}:{step}".encode()).hexdigest()
    return value


def whole(job: Job, steps: int) -> None:
    assert job.state == "succeeded", job.reason
    assert job.result == {"steps": steps, "digest": digest(steps)}


def test_a_killed_child_resumes_alone(installation):
    """At most one interval is done again, and the result is bit-equal."""
    installation.nodes("north")
    job = installation.submit(steps=40, seconds_per_step=0.1, checkpoint_every=5)
    attempt = installation.reached(job, 12)
    os.kill(installation.child(attempt), signal.SIGKILL)
    whole(installation.ended(job), 40)
    first, second = job.attempts.order_by("number")
    assert first.state == "failed" and first.reason["data"] == {"signal": "SIGKILL"}
    assert second.resumed_from_step >= 10
    installation.check_history()


def test_a_killed_agent_is_restarted_and_adopts(installation):
    """Nothing is done again: the same attempt under the same supervisor, and every event exactly once."""
    installation.nodes()
    installation.start_agent("patient", AIFS_LEASE_S="20")  # a restart takes long on a busy machine
    job = installation.submit(steps=60, seconds_per_step=0.1, checkpoint_every=10)
    attempt = installation.reached(job, 5)
    supervisor = installation.supervisor(attempt)
    installation.kill("patient")
    installation.start_agent("patient", AIFS_LEASE_S="20")
    whole(installation.ended(job), 60)
    assert job.attempts.count() == 1
    assert read_json(Path(attempt.run_dir) / "supervisor.json") == supervisor
    series = [step for chunk in job.metric_chunks.order_by("id") for step in chunk.steps]
    assert series == list(range(1, 61))
    installation.check_history()


def test_agent_supervisor_and_child_killed_together(installation):
    """The lease runs out and another node takes over, from the checkpoint in storage."""
    installation.nodes("north", "south")
    job = installation.submit(steps=60, seconds_per_step=0.1, checkpoint_every=5)
    attempt = installation.reached(job, 12)
    installation.until(lambda: Checkpoint.objects.filter(job=job, step=10).exists(), 10, "checkpoint 10 in storage")
    child, supervisor = installation.child(attempt), installation.supervisor(attempt)["pid"]
    installation.kill(attempt.node.name)
    for pid in (supervisor, child):
        os.kill(pid, signal.SIGKILL)
    whole(installation.ended(job), 60)
    first, second, *later = job.attempts.order_by("number")
    assert len(later) <= 1, "a very busy machine may lose the second one, too"
    assert first.state == "lost" and second.node_id != first.node_id
    assert second.resumed_from_step >= 10
    assert (second.started_at - first.ended_at).total_seconds() < 3, "the takeover itself is quick"
    installation.check_history()


def test_a_killed_supervisor_takes_its_child_along(installation):
    installation.nodes("north")
    job = installation.submit(steps=40, seconds_per_step=0.1, checkpoint_every=5)
    attempt = installation.reached(job, 7)
    os.kill(installation.supervisor(attempt)["pid"], signal.SIGKILL)
    whole(installation.ended(job), 40)
    assert job.attempts.order_by("number").first().reason["code"] == "supervisor_lost"
    installation.check_history()


def test_a_broken_newest_checkpoint(installation):
    """Truncated, flipped or gone: it is found by its checksum, and the one before is used."""
    installation.nodes("north")
    options = {"steps": 25, "seconds_per_step": 0.1, "checkpoint_every": 5, "fault": "hang", "fault_at_step": 18}
    jobs = {damage: installation.submit(**options) for damage in ("truncated", "flipped", "gone")}
    for damage, job in jobs.items():
        installation.until(lambda job=job: Checkpoint.objects.filter(job=job, step=15).exists(), 30, "checkpoint 15")
        spoil(installation.home / "storage" / "checkpoints" / str(job.pk) / "15" / "state.json", damage)
        os.kill(installation.child(job.attempts.latest("number")), signal.SIGKILL)
    for damage, job in jobs.items():
        whole(installation.ended(job), 25)
        assert job.attempts.latest("number").resumed_from_step == 10, damage
        assert Checkpoint.objects.get(job=job, step=15).broken_at is None, "written again by the second attempt"
    installation.check_history()


def spoil(path: Path, damage: str) -> None:
    """Without touching the run's own copy, which may be the same file."""
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[:10])
    elif damage == "flipped":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def test_killed_while_writing_a_checkpoint(installation):
    """The half-written one is never seen; the run goes on from the one before."""
    installation.nodes("north")
    job = installation.submit(
        steps=20, seconds_per_step=0.1, checkpoint_every=5, fault="crash_in_checkpoint", fault_at_step=10
    )
    whole(installation.ended(job), 20)
    assert job.attempts.latest("number").resumed_from_step == 5
    installation.check_history()


def test_no_crash_loop(installation):
    """A run that dies every time is given up after as many attempts as it has, with the reason."""
    installation.nodes("north")
    job = installation.submit(steps=5, fault="crash", fault_once=False, max_attempts=2)
    installation.ended(job)
    assert (job.state, job.attempts.count(), job.reason["code"]) == ("failed", 2, "crashed")
    installation.check_history()
