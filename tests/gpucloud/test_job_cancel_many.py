"""`gpucloud:job_cancel_many`."""

import pytest
from django.urls import reverse

from apps.core.ids import uuid7
from apps.gpucloud.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(house):
    return reverse("gpucloud:job_cancel_many", args=[house.project.slug])


def state_of(job):
    return Job.objects.get(pk=job.pk).state


def test_it_cancels_the_chosen_and_goes_back_to_the_list(house, check, url):
    chosen, other = [check(name="a"), check(name="b")], check(name="c")
    answer = house.client("engineer").post(url, {"ids": [job.pk for job in chosen], "back": "state=active&evil=1"})
    assert answer["Location"] == reverse("gpucloud:job_list", args=[house.project.slug]) + "?state=active"
    assert [state_of(job) for job in (*chosen, other)] == ["cancelled", "cancelled", "queued"]


def test_what_has_ended_stays_as_it_is_and_is_said(house, check, url):
    done, waiting = check(), check()
    Job.objects.filter(pk=done.pk).update(state="succeeded")
    page = house.client("engineer").post(url, {"ids": [done.pk, waiting.pk]}, follow=True).content.decode()
    assert "1 job is asked to stop." in page and "1 job had ended already." in page
    assert (state_of(done), state_of(waiting)) == ("succeeded", "cancelled")


def test_none_chosen_says_so(house, url):
    assert "Choose some jobs first." in house.client("engineer").post(url, follow=True).content.decode()


def test_another_projects_job_is_not_there(house, check, url):
    own = check()
    Job.objects.filter(pk=own.pk).update(project=house.other_project)
    house.client("owner").post(url, {"ids": [own.pk, uuid7(), "nonsense"]})
    assert state_of(own) == "queued"


@pytest.mark.parametrize(("part", "status"), [("viewer", 403), ("stranger", 404), (None, 302)])
def test_who_may(house, check, url, part, status):
    job = check()
    assert house.client(part).post(url, {"ids": [job.pk]}).status_code == status
    assert state_of(job) == "queued"


def test_it_takes_a_post(house, url):
    assert house.client("engineer").get(url).status_code == 405
