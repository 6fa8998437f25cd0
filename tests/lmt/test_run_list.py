"""The list of tuning runs."""

import pytest
from django.urls import reverse

from apps.gpucloud.models import Job
from tests.factories import make_house
from tests.lmt.making import start

pytestmark = pytest.mark.django_db


def url(house) -> str:
    return reverse("lmt:run_list", args=[house.project.slug])


def test_empty_list_says_what_to_do():
    house = make_house()
    create = reverse("lmt:run_create", args=[house.project.slug])
    assert create in house.client("expert").get(url(house)).content.decode()
    assert create not in house.client("viewer").get(url(house)).content.decode()


def test_runs_with_their_losses(tmp_path):
    house = make_house()
    run = start(house, tmp_path)
    Job.objects.filter(pk=run.pk).update(result={"loss_before": 2.391, "loss_after": 0.882})
    page = house.client("viewer").get(url(house)).content.decode()
    assert "tuned" in page
    assert "2.391" in page
    assert "0.882" in page
    assert "facts:1" in page


def test_queries_do_not_grow_with_runs(tmp_path, django_assert_max_num_queries):
    house = make_house()
    run = start(house, tmp_path)
    for _ in range(5):
        Job.objects.create(project=house.project, kind="lmt.sft", name="more", params=run.params)
    client = house.client("viewer")
    client.get(url(house))
    with django_assert_max_num_queries(8):
        assert client.get(url(house)).content.decode().count("<live-job") == 6


def test_jobs_of_other_kinds_are_no_runs(tmp_path):
    house = make_house()
    Job.objects.create(project=house.project, kind="datasets.import", name="not a run")
    assert "not a run" not in house.client().get(url(house)).content.decode()


def test_who_may_look():
    house = make_house()
    assert house.client("stranger").get(url(house)).status_code == 404
    assert house.client(None).get(url(house)).status_code == 302
