"""What a run wrote, in the database: once, in order, in few rows."""

import pytest

from apps.gpucloud import selectors
from apps.gpucloud.models import Attempt, JobEvent, LogChunk, MetricChunk
from apps.gpucloud.services import events
from apps.gpucloud.services.events import Batch, clean, progress_after, store_batch
from apps.gpucloud.services.transitions import StaleFence
from tests.gpucloud.pieces import expire, fresh, schedule, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(check, node):
    job = check()
    schedule()
    return job


@pytest.fixture
def claim(job):
    return started(job)


def metric(step, **values):
    return {"type": "metric", "t": float(step), "step": step, "values": values}


def test_a_batch_and_its_offsets_are_one(claim):
    store_batch(claim, Batch([metric(1, loss=2.0)], ["hello"], 70, 6))
    attempt = Attempt.objects.get(pk=claim.attempt_id)
    assert (attempt.events_offset, attempt.output_offset) == (70, 6)


def test_a_stale_fence_stores_nothing(job, claim):
    expire(job.attempts.get())
    schedule()
    with pytest.raises(StaleFence):
        store_batch(claim, Batch([metric(1, loss=2.0)], ["hello"], 70, 6))
    assert not MetricChunk.objects.exists() and not LogChunk.objects.exists()


def test_metrics_are_chunks(job, claim, monkeypatch):
    monkeypatch.setattr(events, "POINTS_MAX", 10)
    for start in range(1, 35, 3):
        store_batch(claim, Batch([metric(step, loss=1 / step) for step in range(start, start + 3)], [], start, 0))
    assert [len(chunk.steps) for chunk in MetricChunk.objects.order_by("id")] == [10, 10, 10, 6]
    assert selectors.read_metrics(job)["loss"]["steps"] == list(range(1, 37))
    assert fresh(job).metrics == {"loss": pytest.approx(1 / 36)}


def test_a_later_attempt_replaces_what_it_did_again(job, claim):
    store_batch(claim, Batch([metric(step, loss=9.0) for step in range(1, 8)], [], 1, 0))
    expire(job.attempts.get())
    schedule()
    store_batch(started(job), Batch([metric(step, loss=1.0) for step in range(5, 9)], [], 1, 0))
    series = selectors.read_metrics(job)["loss"]
    assert series["steps"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert series["values"] == [9.0] * 4 + [1.0] * 4


def test_progress_is_kept_once(job, claim):
    for done in range(5):
        store_batch(
            claim,
            Batch([{"type": "progress", "t": float(done), "done": done, "total": 5, "message": "x"}], [], done, 0),
        )
    assert JobEvent.objects.filter(job=job, type="progress").count() == 1
    assert fresh(job).progress["done"] == 4


def test_log_lines_are_numbered_over_chunks(job, claim, monkeypatch):
    monkeypatch.setattr(events, "CHUNK_CHARACTERS", 300)
    for number in range(12):
        store_batch(claim, Batch([], [f"line {number} a", f"line {number} b"], 0, number))
    assert LogChunk.objects.count() > 3
    lines = list(selectors.read_lines(job))
    assert [line["line"] for line in lines] == list(range(1, 25))
    assert [line["message"] for line in selectors.read_lines(job, after=20, limit=2)] == ["line 10 a", "line 10 b"]


def test_what_postgresql_cannot_hold_is_made_harmless(job, claim):
    store_batch(
        claim,
        Batch(
            [
                metric(1, loss=float("nan"), lr=float("inf")),
                {"type": "log", "t": 1.0, "level": "info", "message": "a\0b", "data": {}},
            ],
            ["x\ud800y", "z" * 50_000],
            1,
            1,
        ),
    )
    assert fresh(job).metrics == {"loss": None, "lr": None}
    assert selectors.read_metrics(job)["loss"]["values"] == [None]
    lines = list(selectors.read_lines(job))
    assert lines[0]["message"] == "a�b" and len(lines[2]["message"]) < 20_000


def test_result_and_error_are_the_attempts(claim):
    store_batch(claim, Batch([{"type": "result", "t": 1.0, "values": {"digest": "d"}}], [], 1, 0))
    store_batch(
        claim,
        Batch([{"type": "error", "t": 1.0, "code": "invalid_input", "message": "m", "hint": "", "data": {}}], [], 2, 0),
    )
    attempt = Attempt.objects.get(pk=claim.attempt_id)
    assert attempt.result == {"digest": "d"} and attempt.reason["code"] == "invalid_input"


def test_every_event_has_a_number_of_its_own(job, claim):
    store_batch(
        claim,
        Batch([metric(1, loss=1.0), {"type": "artefact", "t": 1.0, "name": "x", "path": "outputs/x"}], ["o"], 1, 1),
    )
    sequence = list(JobEvent.objects.filter(job=job).values_list("seq", flat=True))
    assert len(set(sequence)) == len(sequence) and fresh(job).last_seq >= max(sequence)


@pytest.mark.parametrize(
    ("events_", "eta_s"),
    [
        ([(0, 0.0), (5, 10.0)], 10.0),
        ([(0, 0.0), (1, 1.0)], None),  # too soon to say
        ([(0, 0.0), (0, 10.0)], None),  # nothing has moved
        ([(4, 0.0), (0, 5.0), (5, 10.0)], 5.0),  # a new stretch began at 0
    ],
)
def test_time_left(events_, eta_s):
    progress = {}
    for done, t in events_:
        progress = progress_after(progress, {"done": done, "total": 10, "t": t, "message": "m"}, attempt=1)
    assert progress["eta_s"] == eta_s


def test_clean_goes_deep():
    assert clean({"a\0": [float("inf"), {"b": "\0"}]}) == {"a�": [None, {"b": "�"}]}
