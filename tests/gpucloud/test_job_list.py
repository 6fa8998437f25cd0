"""`gpucloud:job_list`."""

from dataclasses import replace

import pytest
from django.urls import reverse

from apps.gpucloud.lists import JOBS
from apps.gpucloud.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(house):
    return reverse("gpucloud:job_list", args=[house.project.slug])


def test_it_lists_jobs_newest_first(house, check, url):
    check(name="older")
    check(name="newer")
    answer = house.client("viewer").get(url)
    assert [row["job"].name for row in answer.context["rows"]] == ["newer", "older"]
    assert "newer" in answer.content.decode()


def test_filters_in_the_address(house, check, url):
    check(name="kept")
    Job.objects.filter(pk=check(name="done").pk).update(state="succeeded")
    client = house.client("viewer")
    assert "done" not in client.get(f"{url}?state=active").content.decode().partition("<table")[2]
    assert "kept" not in client.get(f"{url}?state=succeeded").content.decode().partition("<table")[2]
    found = client.get(f"{url}?q=KEP").content.decode()
    assert "kept" in found
    assert 'type="search" name="q" value="KEP"' in found
    assert client.get(f"{url}?state=nonsense&kind=nothing&before=x").status_code == 200


def test_pages_by_key(house, check, url, monkeypatch):
    monkeypatch.setattr("apps.gpucloud.views.JOBS", replace(JOBS, per_page=2))
    for number in range(5):
        check(name=f"job-{number}")
    client, seen = house.client("viewer"), []
    answer = client.get(url)
    while True:
        seen += [row["job"].name for row in answer.context["rows"]]
        if not answer.context["list"]["after"]:
            break
        answer = client.get(url + answer.context["list"]["after"])
    assert seen == [f"job-{number}" for number in range(4, -1, -1)]
    back = client.get(url + answer.context["list"]["before"])
    assert [row["job"].name for row in back.context["rows"]] == ["job-2", "job-1"]


def test_who_may_see_it(house, url):
    assert house.client(None).get(url).status_code == 302
    assert house.client("stranger").get(url).status_code == 404


def test_empty_it_offers_a_start(house, url):
    assert (
        reverse("gpucloud:job_create", args=[house.project.slug, "gpucloud.check"])
        in house.client("expert").get(url).content.decode()
    )
