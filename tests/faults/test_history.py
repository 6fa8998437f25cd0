"""The judge itself: an unbroken history passes, and every planted violation is named by the rule it breaks."""

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from psycopg.rows import dict_row
from psycopg.types.json import JsonbLoader

from apps.core.models import Artefact, AuditEvent, Upload
from apps.core.services import register_artefact
from apps.core.storage import storage
from apps.gpucloud.models import Attempt, Checkpoint, Job, JobEvent, Lease, LogChunk
from apps.gpucloud.services import submit_job
from apps.gpucloud.services.attempts import Claim, claim_attempt, hand_to_finisher, mark_started
from apps.gpucloud.services.checkpoints import register_checkpoint
from apps.gpucloud.services.events import Batch, store_batch
from apps.gpucloud.services.finishing import finish_attempt
from apps.gpucloud.services.scheduling import Clock, tick
from apps.lms.models import Usage
from tests.factories import House, make_house
from tests.faults.history import TABLES, Answer, History
from tests.gpucloud.pieces import make_node
from workers.io import RunIO

pytestmark = pytest.mark.fault


class Uncommitted(History):
    """Reads what this test has written and will take back: no table has to be emptied after it."""

    def read(self) -> None:
        cursor = connection.connection.cursor(row_factory=dict_row)
        cursor.adapters.register_loader("jsonb", JsonbLoader)
        self.rows = {name: cursor.execute(query).fetchall() for name, query in TABLES.items()}


class Told:
    """One job that went well, with everything a run leaves: events, a log, a checkpoint, an artefact, a bill."""

    def __init__(self, home: Path) -> None:
        self.home, self.house = home, make_house()
        make_node("north", [{"vendor": "nvidia", "index": 0, "uuid": "GPU-0", "model": "A100"}])
        self.job = self.submit()
        self.claim = self.begin(self.job)
        self.run_dir = Path(self.attempt.run_dir)
        self.write()
        self.end()
        self.bill = self.answer("chatcmpl-1")
        self.answers = [Answer("chatcmpl-1", 7, 5)]

    @property
    def attempt(self) -> Attempt:
        return self.job.attempts.latest("number")

    def submit(self) -> Job:
        resources = {"accelerators": 1, "vendor": "nvidia"}
        house: House = self.house
        return submit_job(house.actor("engineer"), house.project, "gpucloud.check", {}, resources=resources)

    def begin(self, job: Job) -> Claim:
        assert tick(Clock()).placed == 1
        attempt = job.attempts.latest("number")
        run_dir = self.home / "runs" / str(job.pk) / str(attempt.number)
        run_dir.mkdir(parents=True)
        claim = claim_attempt(attempt.pk, attempt.node_id, str(run_dir))
        assert claim is not None
        mark_started(claim, None)
        return claim

    def write(self) -> None:
        """As a run does, and as its agent reads it."""
        io = RunIO(self.run_dir, self.claim.spec)
        for step in range(1, 4):
            io.metric(step, {"loss": 1 / step, "rate": 0.1})
        io.log("half way")
        (io.output("report") / "report.json").write_text("{}")
        events = [json.loads(line) for line in (self.run_dir / "events.jsonl").read_bytes().splitlines()]
        (self.run_dir / "output.log").write_text("a word\n\nanother\n")
        sizes = [(self.run_dir / name).stat().st_size for name in ("events.jsonl", "output.log")]
        store_batch(self.claim, Batch(events, ["a word", "another"], *sizes))
        manifest = storage().put_checkpoint(self.job.pk, 3, self.run_dir / "outputs" / "report")
        register_checkpoint(self.claim.attempt_id, self.claim.fence, 3, manifest, {})

    def end(self) -> None:
        manifest = storage().put_tree(self.run_dir / "outputs" / "report")
        output = {"type": "node_report", "manifest": manifest, "meta": {}}
        hand_to_finisher(self.claim, {"report": output}, {"code": 0})
        assert finish_attempt(self.claim.attempt_id)
        self.job.refresh_from_db()

    def answer(self, id: str, **fields: Any) -> Usage:
        return Usage.objects.create(
            response_id=id, model="m", at=timezone.now(), **{"prompt_tokens": 5, "completion_tokens": 7, **fields}
        )

    def history(self, **known: Any) -> History:
        given = {"accepted": [str(self.job.pk)], "answers": self.answers} | known
        return Uncommitted("", self.home / "storage", [self.home], **given)

    def broken(self, **known: Any) -> set[str]:
        return {violation.rule for violation in self.history(**known).violations()}


@pytest.fixture
def told(db: None, tmp_path: Path, settings: Any) -> Told:
    settings.STORAGE_URL = f"file://{tmp_path / 'storage'}"
    return Told(tmp_path)


def test_an_unbroken_history_passes(told: Told) -> None:
    assert told.history().violations() == []
    again = told.submit()
    claim = told.begin(again)
    assert told.broken(settled=False) == set()
    assert told.broken() == {"ended_once"}, "at rest, nothing may still run"
    assert told.history().violations()[0].subject == str(claim.job_id)


def lose_a_job(told: Told) -> dict[str, Any]:
    return {"accepted": [str(told.job.pk), "01890000-0000-7000-8000-000000000000"]}


def end_twice(told: Told) -> None:
    JobEvent.objects.create(job=told.job, seq=told.job.last_seq + 1, type="state", data={"state": "succeeded"},
                            at=timezone.now())  # fmt: skip
    Job.objects.filter(pk=told.job.pk).update(last_seq=told.job.last_seq + 1)


def another_attempt(told: Told, **fields: Any) -> Attempt:
    now = timezone.now()
    given = {"number": 2, "fence": told.attempt.fence + 1, "state": "lost", "ended_at": now, "started_at": now}
    Job.objects.filter(pk=told.job.pk).update(attempt_count=2)
    attempt = Attempt.objects.create(job=told.job, node_id=told.attempt.node_id, **{**given, **fields})
    Attempt.objects.filter(pk=attempt.pk).update(created_at=fields.get("created_at", now))
    return attempt


def overlap(told: Told) -> None:
    """In the records."""
    another_attempt(told, created_at=told.attempt.ended_at - timedelta(seconds=1))


def write_on(told: Told) -> None:
    """In the files: the first run still writes while the second one does."""
    second = told.home / "runs" / str(told.job.pk) / "2"
    second.mkdir()
    (second / "events.jsonl").write_text(json.dumps({"seq": 1, "t": time.time() - 60, "type": "ready"}) + "\n")
    another_attempt(told, run_dir=str(second))


def keep_a_lease(told: Told) -> None:
    Lease.objects.filter(attempt=told.attempt, accelerator__isnull=True).update(released_at=None)


def lend_twice(told: Told) -> None:
    lease = Lease.objects.get(attempt=told.attempt, accelerator__isnull=False)
    late = another_attempt(told)
    Lease.objects.create(attempt=late, node_id=lease.node_id, accelerator_id=lease.accelerator_id, fence=late.fence,
                         expires_at=timezone.now(), released_at=timezone.now())  # fmt: skip
    Lease.objects.filter(pk=lease.pk).update(released_at=timezone.now() + timedelta(seconds=9))


def pass_the_newest(told: Told) -> None:
    Job.objects.filter(pk=told.job.pk).update(last_seq=1)


def skip_a_log_line(told: Told) -> None:
    LogChunk.objects.filter(job=told.job).update(first_line=2)


def lose_a_point(told: Told) -> None:
    told.job.metric_chunks.filter(name="loss").delete()


def store_a_line_twice(told: Told) -> None:
    chunk = LogChunk.objects.get(job=told.job)
    LogChunk.objects.filter(pk=chunk.pk).update(text=chunk.text * 2, lines=chunk.lines * 2)


def stop_reading(told: Told) -> None:
    with (told.run_dir / "events.jsonl").open("a") as file:
        file.write(json.dumps({"seq": 5, "t": 1.0, "type": "ready", "data": {}}) + "\n")


def register_twice(told: Told) -> None:
    first = Artefact.objects.get(job_id=told.job.pk)
    register_artefact(project=told.house.project, type=first.type, name="x", manifest={}, job_id=told.job.pk)


def spoil_an_object(told: Told) -> None:
    entry = Artefact.objects.get(job_id=told.job.pk).manifest["report.json"]
    path = storage().local_path(entry["sha256"])
    assert path is not None
    path.unlink()
    path.write_bytes(b"[]")


def lose_a_checkpoint(told: Told) -> None:
    storage().delete_checkpoint(told.job.pk, 3)


def forget_a_checkpoint(told: Told) -> None:
    Checkpoint.objects.all().update(deleted_at=timezone.now())


def leave_a_temporary_file(told: Told) -> None:
    (told.home / "storage" / "tmp" / "half").write_text("…")


def leave_a_part(told: Told) -> None:
    upload = Upload.objects.create(
        project=told.house.project, user=told.house.owner, filename="x", size_bytes=1, sha256="0" * 64
    )
    (told.home / "storage" / "uploads").mkdir()
    (told.home / "storage" / "uploads" / f"{upload.pk}.part").touch()


def bill_nothing(told: Told) -> None:
    told.bill.delete()


def bill_too_much(told: Told) -> None:
    Usage.objects.all().update(completion_tokens=8)


def bill_nobody(told: Told) -> None:
    told.answer("chatcmpl-nobody")


def bill_less_than_was_delivered(told: Told) -> dict[str, Any]:
    told.answer("chatcmpl-cut", completion_tokens=3, status=499)
    return {"answers": [*told.answers, Answer("chatcmpl-cut", 4, whole=False)]}


def leave_a_bill_in_the_spool(told: Told) -> None:
    spool = told.home / "gateway" / "usage-1"
    spool.mkdir(parents=True)
    told.bill.delete()
    record = {"kind": "usage", "response_id": "chatcmpl-1", "prompt_tokens": 5, "completion_tokens": 7}
    (spool / "000000000001.jsonl").write_text(json.dumps(record) + "\n")


PLANTED = [
    (lose_a_job, "ended_once"),
    (end_twice, "ended_once"),
    (overlap, "attempts_in_order"),
    (write_on, "one_execution"),
    (keep_a_lease, "leases_returned"),
    (lend_twice, "leases_returned"),
    (pass_the_newest, "sequence"),
    (skip_a_log_line, "sequence"),
    (lose_a_point, "events_kept"),
    (store_a_line_twice, "events_kept"),
    (stop_reading, "events_kept"),
    (register_twice, "artefacts_whole"),
    (spoil_an_object, "artefacts_whole"),
    (lose_a_checkpoint, "checkpoints_whole"),
    (forget_a_checkpoint, "checkpoints_whole"),
    (leave_a_temporary_file, "nothing_half_written"),
    (leave_a_part, "nothing_half_written"),
    (bill_nothing, "bills"),
    (bill_too_much, "bills"),
    (bill_nobody, "bills"),
    (bill_less_than_was_delivered, "bills"),
    (leave_a_bill_in_the_spool, "bills"),
]


@pytest.mark.parametrize(("plant", "rule"), PLANTED, ids=[plant.__name__ for plant, _rule in PLANTED])
def test_a_planted_violation_is_named(told: Told, plant: Any, rule: str) -> None:
    assert rule in told.broken(**(plant(told) or {}))


@pytest.mark.parametrize(
    ("jump_s", "expected"), [(0, {"attempts_in_order"}), (-9, {"attempts_in_order"}), (-11, set())]
)
def test_times_of_a_clock_that_jumped_are_put_right(told: Told, jump_s: int, expected: set[str]) -> None:
    """The second attempt began, by that clock, ten seconds before the first one ended."""
    ended = told.attempt.ended_at
    another_attempt(told, created_at=ended - timedelta(seconds=10))
    jumped_at = (ended - timedelta(seconds=5)).timestamp()
    assert told.broken(straight=lambda at: at - jump_s if at < jumped_at else at) == expected


def test_an_orphan_is_found_and_two_executions_are(told: Told) -> None:
    runs = [told.run_dir, told.run_dir.with_name("2")]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"], env={"AIFS_RUN": str(run)}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for run in runs
    ]  # fmt: skip
    try:
        for child in children:
            assert child.stdout is not None and child.stdout.readline()
        found = [str(violation) for violation in told.history().violations() if violation.rule == "processes_wanted"]
        assert sum("no living attempt" in text for text in found) == 2
        assert sum("['1', '2'] live at the same time" in text for text in found) == 1
    finally:
        for child in children:
            child.communicate(b"\n")
    assert told.broken() == set()


def test_a_job_started_again_by_hand_may_end_again(told: Told) -> None:
    end_twice(told)
    assert told.broken() == {"ended_once"}
    AuditEvent.objects.create(action="job.retry", object_id=str(told.job.pk))
    assert told.broken() == set()
