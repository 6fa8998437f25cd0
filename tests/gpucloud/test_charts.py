"""Charts by windows: no more points than asked for, with the lowest and the highest of each stretch."""

import math

import pytest

from apps.gpucloud import charts
from apps.gpucloud.models import MetricChunk
from apps.gpucloud.services.events import POINTS_MAX, Batch, store_batch
from tests.gpucloud.pieces import expire, fresh, schedule, started

pytestmark = pytest.mark.django_db


def events(first, last, value=lambda step: float(step), name="loss"):
    return [
        {"type": "metric", "t": 1000.0 + step, "step": step, "values": {name: value(step)}}
        for step in range(first, last + 1)
    ]


@pytest.fixture
def claim(check, node):
    job = check()
    schedule()
    return started(job)


def store(claim, made, at=[0]):  # noqa: B006 - counts the batches of a test run
    at[0] += 1
    store_batch(claim, Batch(made, [], at[0], 0))


def wave(step):
    return math.sin(step / 50)


def test_a_full_chunk_holds_its_outline(claim):
    store(claim, events(1, 700, wave))
    assert MetricChunk.objects.get().outline is None
    store(claim, events(701, 2100, wave))
    first, second, third = MetricChunk.objects.order_by("id")
    assert (len(first.steps), len(second.steps), len(third.steps)) == (POINTS_MAX, POINTS_MAX, 100)
    assert third.outline is None
    for chunk in (first, second):
        found = [tuple(chunk.outline[at : at + 3]) for at in range(0, len(chunk.outline), 3)]
        assert len(found) == 2 * POINTS_MAX / charts.BUCKET_POINTS
        for start in range(0, POINTS_MAX, charts.BUCKET_POINTS):
            values = chunk.values[start : start + charts.BUCKET_POINTS]
            near = [
                point[1]
                for point in found
                if chunk.steps[start] <= point[0] <= chunk.steps[start + charts.BUCKET_POINTS - 1]
            ]
            assert (min(near), max(near)) == (min(values), max(values))
        assert all(time == 1000.0 + step for step, _value, time in found)


def read(house, claim, **asked):
    return house.api("viewer").get(f"/api/v1/jobs/{claim.job_id}/metrics/", asked).json()["series"]


def test_few_points_come_whole(house, claim):
    store(claim, events(1, 500, wave))
    found = read(house, claim, points=1000)["loss"]
    assert (found["steps"], found["thinned"]) == (list(range(1, 501)), False)
    assert found["values"] == read(house, claim)["loss"]["values"]


def test_many_points_keep_their_extremes(house, claim):
    total = 30 * POINTS_MAX
    spikes = {7_777: 9.0, 21_212: -9.0}
    store(claim, events(1, total, lambda step: spikes.get(step, wave(step))))
    found = read(house, claim, points=400)["loss"]
    assert found["thinned"] and 300 <= len(found["steps"]) <= 400
    assert found["steps"] == sorted(found["steps"])
    shown = dict(zip(found["steps"], found["values"], strict=True))
    assert all(shown[step] == value for step, value in spikes.items()), "no spike is lost"
    near = read(house, claim, points=400, **{"from": 7_700, "to": 7_900})["loss"]
    assert (near["steps"], near["thinned"]) == (list(range(7_700, 7_901)), False)


def test_gaps_and_nothing(house, claim):
    store(claim, events(1, 3 * POINTS_MAX, lambda step: None if step % 2 else 1.0))
    assert set(read(house, claim, points=100)["loss"]["values"]) == {1.0}
    assert read(house, claim, points=100, names="nothing") == {}
    assert read(house, claim, points=100, **{"from": 10**9})["loss"]["steps"] == []
    assert charts.outline([(1, math.nan, 0.0)]) == [] and charts.thin([], 10) == []


def test_series_are_asked_for_by_how_they_begin(house, claim):
    for name in ("loss", "device.cpu_pct", "device.gpu0_pct", "device"):
        store(claim, events(1, 3, name=name))
    assert set(read(house, claim, points=10, names="loss,device.*")) == {"loss", "device.cpu_pct", "device.gpu0_pct"}
    assert len(read(house, claim, points=10, names="*")) == 4


def test_what_a_later_attempt_did_again_replaces_the_first(house, claim, monkeypatch):
    store(claim, events(1, 20 * POINTS_MAX, lambda step: 1.0))
    job = fresh_job(claim)
    expire(job.attempts.get())
    schedule()
    schedule()
    again = started(job)
    store(again, events(5 * POINTS_MAX + 1, 6 * POINTS_MAX, lambda step: 2.0))
    found = read(house, claim, points=10_000)["loss"]
    assert max(found["steps"]) <= 6 * POINTS_MAX
    late = [value for step, value in zip(found["steps"], found["values"], strict=True) if step > 5 * POINTS_MAX]
    assert set(late) == {2.0}


def fresh_job(claim):
    from apps.gpucloud.models import Job

    return fresh(Job(pk=claim.job_id))


def test_a_chart_of_many_points_reads_outlines_only(house, claim, django_assert_max_num_queries):
    store(claim, events(1, 60 * POINTS_MAX, wave))
    client = house.api("viewer")
    with django_assert_max_num_queries(10):
        answer = client.get(f"/api/v1/jobs/{claim.job_id}/metrics/", {"points": 1600})
    assert len(answer.content) < 150_000


@pytest.mark.parametrize("asked", [{"points": "x"}, {"points": "0"}, {"points": "99999999"}])
def test_odd_numbers_of_points_are_bounded(house, claim, asked):
    store(claim, events(1, 20, wave))
    assert len(read(house, claim, **asked)["loss"]["steps"]) == 20


def test_unknown_questions_are_refused(house, claim):
    answer = house.api("viewer").get(f"/api/v1/jobs/{claim.job_id}/metrics/", {"pixels": "5"})
    assert answer.status_code == 400
