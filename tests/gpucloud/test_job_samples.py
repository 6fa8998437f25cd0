"""`gpucloud:job_samples`: what a model in training answers, kept, shown and compared."""

from itertools import pairwise

import pytest
from django.urls import reverse

from apps.gpucloud import selectors
from apps.gpucloud.models import JobEvent
from apps.gpucloud.services import samples
from apps.gpucloud.services.events import Batch, store_batch
from tests.gpucloud.pieces import expire, fresh, schedule, started

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7|add:7 }}"


@pytest.fixture
def job(check, node):
    job = check(name="taught")
    schedule()
    return job


@pytest.fixture
def claim(job):
    return started(job)


def url(job):
    return reverse("gpucloud:job_samples", args=[job.project.slug, job.pk])


def sample(step, answer="yes", question="Is it?", **more):
    row = {"question": question, "expected": "It is.", "answer": answer}
    return {"type": "sample", "t": 1.0, "step": step, "answers": [row], **more}


def tell(claim, *events):
    store_batch(claim, Batch(list(events), [], 1, 0))


def steps(job):
    return [row["step"] for row in selectors.list_samples(job)]


def test_answers_stand_in_the_order_of_the_steps(house, job, claim):
    tell(claim, sample(0, "no"), sample(10, "no"), sample(20, "yes"))
    answer = house.client("viewer").get(url(job))
    (asked,) = answer.context["samples"]
    assert (asked.question, asked.expected) == ("Is it?", "It is.")
    assert asked.answers == [{"first": 0, "last": 10, "text": "no"}, {"first": 20, "last": 20, "text": "yes"}]
    page = answer.content.decode()
    assert "Steps 0 to 10" in page and "Step 20" in page
    assert page.lstrip().startswith("<section")  # a fragment


def test_before_the_first_answer_the_place_is_there_and_empty(house, job):
    page = house.client("viewer").get(url(job)).content.decode()
    assert 'id="samples"' in page and "<h2" not in page


def test_the_page_of_a_job_shows_them_and_asks_again(house, job, claim):
    tell(claim, sample(0, "first words"))
    address = reverse("gpucloud:job_detail", args=[job.project.slug, job.pk]) + "?tab=metrics"
    page = house.client("viewer").get(address).content.decode()
    assert "first words" in page and f'hx-get="{url(job)}" hx-trigger="aifs:sample from:body"' in page


def test_what_is_done_again_replaces_it_and_all_after_it(job, claim):
    tell(claim, *(sample(step, "old") for step in (0, 5, 10, 15)))
    expire(job.attempts.get())
    schedule()
    tell(started(job), sample(10, "new"))
    assert [(row["step"], row["answers"][0]["answer"]) for row in selectors.list_samples(job)] == [
        (0, "old"), (5, "old"), (10, "new")
    ]  # fmt: skip
    assert fresh(job).last_seq == JobEvent.objects.get(job=job, type="sample", data__step=10).seq


def test_many_steps_are_thinned_evenly(job, claim):
    tell(claim, *(sample(step) for step in range(0, 1000, 5)))
    kept = steps(job)
    assert len(kept) == samples.STEPS_MAX
    assert (kept[0], kept[-1]) == (0, 995)
    gaps = [after - before for before, after in pairwise(kept)]
    assert max(gaps) <= 4 * 1000 / samples.STEPS_MAX


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": "<b>"}, {"step": -3}, {"step": 1e300}, {"step": None}, {"step": 1 << 60}, {"step": [1]},
        {"answers": "text"}, {"answers": None}, {"answers": [1, None, "x"]}, {"answers": [{"answer": {"a": ["\0"]}}]},
    ],
)  # fmt: skip
def test_whatever_a_run_writes_has_the_right_shape(house, job, claim, wrong):
    tell(claim, sample(1) | wrong)
    (row,) = selectors.list_samples(job)
    assert set(row) == {"step", "answers"} and isinstance(row["step"], int) and row["step"] >= 0
    assert all(set(answer) == set(samples.TEXTS) for answer in row["answers"])
    assert house.client("viewer").get(url(job)).status_code == 200


def test_a_flood_is_cut(job, claim):
    flood = {"answers": [{"question": f"{number}", "answer": "x" * 10**6, "more": "y" * 10**6} for number in range(50)]}
    tell(claim, sample(1) | flood)
    (row,) = selectors.list_samples(job)
    assert len(row["answers"]) == samples.QUESTIONS_MAX
    assert {len(answer["answer"]) for answer in row["answers"]} == {samples.CHARACTERS}


def test_texts_of_the_model_are_inert(house, job, claim):
    tell(claim, sample(0, HOSTILE, HOSTILE))
    page = house.client("viewer").get(url(job)).content.decode()
    assert "<script>" not in page and "<img" not in page and "{{ 7|add:7 }}" in page
    compared = reverse("gpucloud:job_compare", args=[job.project.slug]) + f"?ids={job.pk}&ids={job.pk}"
    assert "<script>alert" not in house.client("viewer").get(compared).content.decode()


def test_the_api_tells_them(house, job, claim):
    tell(claim, sample(4, HOSTILE))
    answer = house.api("viewer").get(f"/api/v1/jobs/{job.pk}/samples/")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "samples": [{"step": 4, "answers": [{"question": "Is it?", "expected": "It is.", "answer": HOSTILE}]}]
    }
    assert house.api("stranger").get(f"/api/v1/jobs/{job.pk}/samples/").status_code == 404
    assert house.api("viewer").get(f"/api/v1/jobs/{job.pk}/samples/?x=1").status_code == 400
    assert house.api("viewer").post(f"/api/v1/jobs/{job.pk}/samples/").status_code == 405


def test_runs_are_compared_by_their_last_answers(house, check, job, claim):
    other = check(name="not asked")
    tell(claim, sample(0, "at first"), sample(9, "at last"))
    address = reverse("gpucloud:job_compare", args=[job.project.slug]) + f"?ids={job.pk}&ids={other.pk}"
    answer = house.client("viewer").get(address)
    assert [(row.label, row.values) for row in answer.context["answers"]] == [("Is it?", ["at last", ""])]
    page = answer.content.decode()
    assert "Last answers" in page and "at first" not in page


def test_who_may_read_them(house, job):
    assert house.client(None).get(url(job)).status_code == 302
    assert house.client("stranger").get(url(job)).status_code == 404
    assert house.client("viewer").post(url(job)).status_code in (200, 405)
    elsewhere = reverse("gpucloud:job_samples", args=[house.project.slug, "0" * 8 + "-0000-0000-0000-" + "0" * 12])
    assert house.client("viewer").get(elsewhere).status_code == 404
