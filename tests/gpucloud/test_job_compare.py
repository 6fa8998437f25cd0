"""Up to eight runs beside each other."""

import json

import pytest
from django.urls import reverse

from apps.gpucloud.models import Job

pytestmark = pytest.mark.django_db


def url(house, *jobs):
    address = reverse("gpucloud:job_compare", args=[house.project.slug])
    return f"{address}?" + "&".join(f"ids={job.pk}" for job in jobs)


@pytest.fixture
def runs(check):
    made = [check({"steps": steps, "seconds_per_step": 0}, name=f"run {steps}", seed=steps) for steps in (3, 5)]
    Job.objects.filter(pk=made[0].pk).update(metrics={"check": 0.25, "loss": 1.5}, result={"steps": 3, "digest": "a"})
    Job.objects.filter(pk=made[1].pk).update(metrics={"check": 0.75}, result={"steps": 5, "digest": "b"})
    return made


def test_differences_stand_first_and_are_marked(house, runs):
    answer = house.client("viewer").get(url(house, *runs))
    assert answer.status_code == 200
    rows = answer.context["settings"]
    changed = {row.label: row.values for row in rows if row.differs}
    assert changed == {"Steps": ["3", "5"], "Seed": ["3", "5"]}
    assert [row.differs for row in rows] == sorted((row.differs for row in rows), reverse=True)
    assert {row.label: row.values for row in answer.context["figures"]} == {
        "Check value": [0.25, 0.75], "Loss": [1.5, None], "Steps": [3, 5]
    }  # fmt: skip
    assert answer.context["charts"] == ["loss", "check"]
    assert [run["name"] for run in json.loads(answer.context["named"])] == ["run 3", "run 5"]


def test_runs_of_one_name_are_told_apart(house, check):
    jobs = [check(name="same") for _number in range(2)]
    names = [run["name"] for run in house.client("viewer").get(url(house, *jobs)).context["runs"]]
    assert len(set(names)) == 2 and all(name.startswith("same · ") for name in names)


def test_the_choice_of_a_list_becomes_an_address(house, runs):
    address = reverse("gpucloud:job_compare", args=[house.project.slug])
    answer = house.client("viewer").post(address, {"ids": [str(run.pk) for run in runs], "back": "q=x"})
    assert (answer.status_code, answer["Location"]) == (302, url(house, *runs))


def test_both_lists_offer_it(house, runs):
    page = house.client("viewer").get(reverse("gpucloud:job_list", args=[house.project.slug])).content.decode()
    assert f'formaction="{reverse("gpucloud:job_compare", args=[house.project.slug])}"' in page
    assert f'value="{runs[0].pk}" form="list-bulk"' in page


def test_none_one_and_too_many(house, check):
    assert house.client("viewer").get(url(house)).status_code == 200
    jobs = [check(name=f"n{number}") for number in range(9)]
    one = house.client("viewer").get(url(house, jobs[0]))
    assert one.status_code == 200 and len(one.context["addable"]) == 8
    assert len(house.client("viewer").get(url(house, *jobs[:8])).context["runs"]) == 8
    assert house.client("viewer").get(url(house, *jobs)).status_code == 400
    assert len(house.client("viewer").get(url(house, jobs[0], jobs[0])).context["runs"]) == 1


def test_who_may_compare_what(house, runs):
    assert house.client(None).get(url(house, *runs)).status_code == 302
    assert house.client("stranger").get(url(house, *runs)).status_code == 404
    theirs = Job.objects.create(project=house.other_project, kind="gpucloud.check")
    assert house.client("viewer").get(url(house, runs[0], theirs)).status_code == 404
    wrong = reverse("gpucloud:job_compare", args=[house.project.slug]) + "?ids=nonsense"
    assert house.client("viewer").get(wrong).status_code == 404


@pytest.mark.parametrize("name", ["", "gpucloud.check", "Check a node"])
def test_a_name_that_says_no_more_than_the_kind_stands_once(house, check, name):
    job = check(name=name)
    answer = house.client("viewer").get(reverse("gpucloud:job_detail", args=[house.project.slug, job.pk]))
    assert answer.context["title"] == "Check a node"
    sentence = answer.content.decode().split('<p class="purpose">')[1].split("</p>")[0]
    assert "Check a node" not in sentence, "the sentence under the title does not repeat it"
    listed = house.client("viewer").get(reverse("gpucloud:job_list", args=[house.project.slug])).content.decode()
    assert '<div class="hint">Check a node</div>' not in listed
