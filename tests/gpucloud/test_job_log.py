"""Logs by windows: the end, before and after a line, by words; and the whole as a file."""

import pytest
from django.urls import reverse

from apps.gpucloud import logs
from apps.gpucloud.services.events import Batch, store_batch
from tests.gpucloud.pieces import schedule, started

pytestmark = pytest.mark.django_db
LINES = 3_000


@pytest.fixture
def job(check, node):
    job = check(name="long")
    schedule()
    claim = started(job)
    output = [f"line {number} of the output {'x' * 60}" for number in range(1, LINES + 1)]
    store_batch(claim, Batch([], output[:1000], 0, 1))
    store_batch(claim, Batch([], output[1000:], 0, 2))
    said = {
        "type": "log",
        "t": 5.0,
        "level": "warning",
        "message": "The run was ended by signal %(signal)s.",
        "data": {"signal": "SIGHUP"},
    }
    store_batch(claim, Batch([said], [], 1, 2))
    assert job.log_chunks.count() > 3
    return job


def ask(house, job, part="viewer", **asked):
    return house.api(part).get(f"/api/v1/jobs/{job.pk}/logs/", asked)


def numbers(answer):
    return [line["line"] for line in answer.json()["lines"]]


def test_the_end_and_upwards(house, job):
    end = ask(house, job, tail=3)
    assert (numbers(end), end.json()["last"], end.json()["next"]) == (
        [LINES - 1, LINES, LINES + 1],
        LINES + 1,
        LINES + 1,
    )
    above = ask(house, job, before=end.json()["previous"], limit=2)
    assert numbers(above) == [LINES - 3, LINES - 2]
    top = ask(house, job, before=3, limit=100)
    assert (numbers(top), top.json()["previous"]) == ([1, 2], None)
    assert numbers(ask(house, job, before=1)) == []


def test_downwards_across_chunks(house, job):
    seen, after = [], 0
    while after is not None:
        answer = ask(house, job, after=after, limit=700)
        seen += numbers(answer)
        after = answer.json()["next"]
    assert seen == list(range(1, LINES + 2))


def test_words_are_found_anywhere(house, job):
    assert numbers(ask(house, job, q="LINE 2999 of")) == [2999]
    assert numbers(ask(house, job, q="line 1", limit=3)) == [1, 10, 11]
    going_on = ask(house, job, q="line 1", limit=3).json()["next"]
    assert numbers(ask(house, job, q="line 1", limit=2, after=going_on)) == [12, 13]
    nothing = ask(house, job, q="nobody wrote this")
    assert (numbers(nothing), nothing.json()["next"]) == ([], None)
    assert numbers(ask(house, job, q="100% \\ ' _")) == []


def test_own_lines_are_found_as_they_are_read(house, job):
    """What fills the places of a marked text is not stored in it."""
    assert numbers(ask(house, job, q="ended by signal sighup")) == [LINES + 1]
    house.viewer.language = "zh-hans"
    house.viewer.save()
    shown = ask(house, job, tail=1).json()["lines"][0]["message"]
    assert numbers(ask(house, job, q=shown)) == [LINES + 1]


def test_a_search_stops_and_says_where(house, job, monkeypatch):
    monkeypatch.setattr(logs, "SCAN_CHUNKS", 1)
    found, after, turns = [], 0, 0
    while after is not None and turns < 50:
        answer = ask(house, job, q="line 2999", after=after).json()
        found += [line["line"] for line in answer["lines"]]
        after, turns = answer["next"], turns + 1
    assert found == [2999] and turns > 3


def test_wrong_questions(house, job):
    assert ask(house, job, colour="red").status_code == 400
    assert ask(house, job, part="stranger").status_code == 404
    assert numbers(ask(house, job, after="x", limit=1)) == [1]


def test_a_window_reads_no_more_than_it_shows(house, job, django_assert_max_num_queries):
    house.key("viewer")
    with django_assert_max_num_queries(9):
        answer = ask(house, job, tail=100)
    assert len(answer.content) < 40_000


def url(job):
    return reverse("gpucloud:job_log", args=[job.project.slug, job.pk])


@pytest.mark.django_db(transaction=True)
def test_the_whole_log_as_a_file(house, job, async_client):
    import asyncio

    async def read():
        await async_client.aforce_login(house.viewer, backend="django.contrib.auth.backends.ModelBackend")
        answer = await async_client.get(url(job))
        return answer, b"".join([part async for part in answer.streaming_content])

    answer, content = asyncio.run(read())
    lines = content.decode().splitlines()
    assert len(lines) == LINES + 1
    assert "line 17 of the output" in lines[16] and lines[-1].endswith("The run was ended by signal SIGHUP.")
    assert answer["Content-Disposition"].startswith("attachment") and "long.log" in answer["Content-Disposition"]


def test_who_may_take_it(house, job):
    assert house.client(None).get(url(job)).status_code == 302
    assert house.client("stranger").get(url(job)).status_code == 404
    assert house.client("viewer").post(url(job)).status_code in {200, 405}
