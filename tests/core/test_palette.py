"""What the command palette offers before anything is typed: pages, jobs to start, projects; each only to who may."""

import pytest
from django.urls import reverse

from apps.core import commands
from tests.factories import make_artefact, make_house, make_project
from workers.kinds import kinds

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def offered(house, part="owner"):
    answer = house.client(part).get(reverse("core:palette", args=[house.project.slug]))
    assert answer.status_code == 200
    return answer.json()["commands"]


def test_every_address_it_offers_opens(house):
    client = house.client("owner")
    rows = offered(house)
    assert {row["scope"] for row in rows} == set(commands.SCOPES)
    broken = [row["url"] for row in rows if client.get(row["url"]).status_code != 200]
    assert broken == []


def test_every_kind_of_job_can_be_started_by_who_may(house):
    def startable(part):
        return {row["url"].rstrip("/").rpartition("/")[2] for row in offered(house, part) if row["scope"] == "start"}

    runs = {name for name in kinds.names() if not kinds.get(name).service}
    assert runs <= startable("engineer")
    simple = {name for name in runs if kinds.get(name).simple}
    assert startable("expert") & runs == simple
    assert not startable("viewer")


def test_pages_outside_projects_offer_the_project_that_was_open_last(house):
    client = house.client("owner")
    first, second = house.project, make_project("zebra", house.owner)
    for project in (second, first, second):
        client.get(reverse("core:dashboard", args=[project.slug]))
        page = client.get(reverse("core:settings_profile"))
        assert page.context["open_project"] == project and page.context["project"] is None
        text = page.content.decode()
        assert f'data-commands="{reverse("core:palette", args=[project.slug])}"' in text
        assert reverse("datasets:dataset_list", args=[project.slug]) in text, "the rail"


def test_who_has_no_project_is_offered_none(house):
    client, address = house.client("stranger"), reverse("core:settings_profile")
    assert client.get(address).context["open_project"] == house.other_project
    house.stranger.memberships.all().delete()
    page = client.get(address)
    assert not page.context["open_project"] and "data-commands" not in page.content.decode()


def test_other_projects_are_offered_only_to_their_members(house):
    names = {row["label"] for row in offered(house, "owner") if row["scope"] == "project"}
    assert house.other_project.name not in names


def test_search_finds_artefacts_of_every_registered_type(house, monkeypatch):
    monkeypatch.setattr("apps.core.artefact_types._types", {})
    from apps.core import artefact_types

    artefact_types.register(
        "thing", label="thing", find=lambda project, ref: None, url=lambda row: f"/things/{row.pk}/"
    )
    thing = make_artefact(house.project, "red harbour crane")
    make_artefact(house.project, "red harbour", type="unregistered")
    make_artefact(house.other_project, "red crane")
    url = reverse("core:search", args=[house.project.slug])
    found = house.client("viewer").get(url, {"q": "crane red"}).json()["results"]
    assert [(row["label"], row["url"]) for row in found] == [("red harbour crane", f"/things/{thing.pk}/")]


@pytest.mark.parametrize(("part", "status"), [("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert house.client(part).get(reverse("core:palette", args=[house.project.slug])).status_code == status
