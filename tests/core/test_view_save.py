"""A list as somebody likes to see it is kept for that person alone."""

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.models import SavedView
from tests.factories import make_house

pytestmark = pytest.mark.django_db
JOBS = "gpucloud:job_list"


@pytest.fixture
def house():
    return make_house()


def url(house):
    return reverse("core:view_save", args=[house.project.slug])


def save(house, part="viewer", **fields):
    body = {"list": JOBS, "name": "Failed", "query": "state=failed&after=x&evil=1"} | fields
    return house.client(part).post(url(house), body)


def test_it_keeps_what_the_list_knows_and_goes_there(house):
    answer = save(house)
    assert answer.status_code == 302
    assert answer["Location"] == reverse(JOBS, args=[house.project.slug]) + "?state=failed"
    view = SavedView.objects.get()
    assert (view.user, view.list, view.name, view.query, view.is_default) == (
        house.viewer,
        JOBS,
        "Failed",
        "state=failed",
        False,
    )
    assert "Failed" in house.client("viewer").get(answer["Location"]).content.decode()
    assert not house.client("owner").get(answer["Location"]).context["list"]["views"]


def test_the_same_name_replaces_and_only_one_is_the_default(house):
    save(house, default="1")
    save(house, name="Mine", query="q=mine", default="1")
    save(house, name="Mine", query="q=other", default="1")
    views = {view.name: (view.query, view.is_default) for view in SavedView.objects.all()}
    assert views == {"Failed": ("state=failed", False), "Mine": ("q=other", True)}


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": " \0 "}, {"name": None}])
def test_a_view_needs_a_name(house, fields):
    body = {key: value for key, value in ({"list": JOBS} | fields).items() if value is not None}
    assert house.client("viewer").post(url(house), body).status_code == 400
    assert not SavedView.objects.exists()


def test_there_is_an_end_to_views(house, monkeypatch):
    monkeypatch.setattr("apps.core.services.saved_views.MOST_VIEWS", 2)
    assert [save(house, name=str(number)).status_code for number in range(3)] == [302, 302, 429]
    assert save(house, name="1", query="q=again").status_code == 302


def test_unknown_lists_and_long_queries(house):
    assert save(house, list="no:list").status_code == 404
    assert save(house, query="q=" + "x" * 5000).status_code == 302
    assert len(SavedView.objects.get().query) <= 2000


@pytest.mark.parametrize(("part", "status"), [("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert save(house, part).status_code == status
    assert not SavedView.objects.exists()


def test_it_takes_a_post(house):
    assert house.client("viewer").get(url(house)).status_code == 405


def test_the_service_keeps_one_default(house):
    first = services.save_view(house.actor("viewer"), JOBS, "a", "", True)
    services.save_view(house.actor("viewer"), JOBS, "b", "", True)
    first.refresh_from_db()
    assert not first.is_default
