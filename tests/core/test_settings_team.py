"""Teams: what is shared with one is seen in all its projects; who is in one decides who comes in."""

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.models import AuditEvent, Membership, Notification, Team
from tests.datasets.making import make_version
from tests.factories import make_actor, make_house, make_key, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    """`stranger` owns quay, which is in a team of its own."""
    house = make_house()
    house.quay = make_project("quay", house.stranger)
    return house


@pytest.fixture
def rows(house, tmp_path):
    return make_version(house, tmp_path)


def page(house):
    return reverse("core:settings_team", args=[house.project.slug])


def post(house, part="owner", **body):
    return house.client(part).post(page(house), body)


def seen(house, rows):
    url = reverse("core:shared_detail", args=["quay", rows.pk])
    return house.client("stranger").get(url).status_code == 200


def test_a_project_that_joins_sees_what_is_shared_with_the_team_and_no_more_when_it_leaves(house, rows):
    services.share_artefact(house.actor(), rows.artefact, team=house.project.team_id)
    assert not seen(house, rows)
    Membership.objects.create(project=house.project, user=house.stranger, role="owner")
    services.move_to_team(make_actor(house.stranger), house.quay, team=house.project.team_id)
    Membership.objects.filter(project=house.project, user=house.stranger).delete()
    assert seen(house, rows)
    services.move_to_team(make_actor(house.stranger), house.quay, name="quay alone")
    assert not seen(house, rows)
    assert AuditEvent.objects.filter(action="project.move", project=house.quay).count() == 2


def test_nobody_lets_himself_into_a_team(house, rows):
    services.share_artefact(house.actor(), rows.artefact, team=house.project.team_id)
    for role in (None, "viewer", "engineer"):
        if role:
            Membership.objects.filter(project=house.project, user=house.stranger).delete()
            Membership.objects.create(project=house.project, user=house.stranger, role=role)
        with pytest.raises(NotFound):
            services.move_to_team(make_actor(house.stranger), house.quay, team=house.project.team_id)
    with pytest.raises(NotAllowed):
        services.move_to_team(house.actor("engineer"), house.project, name="mine")
    assert Team.objects.count() == 3


def test_owners_there_are_told_and_not_those_of_the_source(house, rows):
    Membership.objects.create(project=house.quay, user=house.owner, role="expert")
    services.share_artefact(house.actor(), rows.artefact, team=house.quay.team_id)
    assert [(row.user, row.project) for row in Notification.objects.all()] == [(house.stranger, house.quay)]


def test_the_page_renames_and_moves(house):
    assert post(house, rename="Ships").status_code == 302
    house.project.team.refresh_from_db()
    assert house.project.team.name == "Ships"
    assert "Ships" in house.client().get(page(house)).content.decode()
    assert post(house, name="New team").status_code == 302
    house.project.refresh_from_db()
    assert house.project.team.name == "New team"
    Membership.objects.create(project=house.quay, user=house.owner, role="owner")
    assert str(house.quay.team_id) in house.client().get(page(house)).content.decode()
    assert post(house, team=str(house.quay.team_id)).status_code == 302


@pytest.mark.parametrize("body", [{}, {"team": "nonsense"}, {"team": "x", "name": "y"}, {"rename": " "}])
def test_bad_input(house, body):
    assert post(house, **body).status_code == 400


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("viewer", 403), ("stranger", 404), (None, 302)])
def test_who_may(house, part, status):
    assert house.client(part).get(page(house)).status_code == status
    assert post(house, part, rename="Mine").status_code == status


def test_rename_needs_a_name(house):
    with pytest.raises(InvalidInput):
        services.rename_team(house.actor(), house.project, "  ")


# --- the API


def test_the_api_of_teams(house):
    api = house.api()
    [team] = api.get(reverse("team-list")).json()["results"]
    assert team["projects"] == ["harbour"]
    one = reverse("team-detail", args=[team["id"]])
    assert api.patch(one, {"name": "Ships"}, content_type="application/json").json()["name"] == "Ships"
    made = api.post(reverse("team-list"), {"project": "harbour", "name": "Apart"}, content_type="application/json")
    assert (made.status_code, made.json()["projects"]) == (201, ["harbour"])
    assert api.get(one).status_code == 404  # no project of ours is in it any more
    theirs = reverse("team-detail", args=[house.other_project.team_id])
    assert api.get(theirs).status_code == 404
    for body, status in (({"project": "harbour"}, 400), ({"project": "quay", "name": "x"}, 404), ({}, 400)):
        assert api.post(reverse("team-list"), body, content_type="application/json").status_code == status
    mine = reverse("team-detail", args=[made.json()["id"]])
    renamed = house.api("engineer").patch(mine, {"name": "x"}, content_type="application/json")
    assert renamed.status_code == 403


def test_the_api_of_shares(house, rows):
    Membership.objects.create(project=house.quay, user=house.owner, role="expert")
    wanted = {"type": "dataset_version", "artefact": str(rows.pk), "with_team": str(house.project.team_id)}
    api, listed = house.api(), reverse("share-list")
    made = api.post(listed, wanted, content_type="application/json")
    assert made.status_code == 201, made.content
    assert (made.json()["name"], made.json()["with_project"]) == ("facts:1", None)
    assert api.post(listed, wanted, content_type="application/json").status_code == 409
    # a key acts in its own project alone: quay is out of its reach, though the person is a member there
    elsewhere = {**wanted, "with_project": "quay"} | {"with_team": None}
    assert api.post(listed, elsewhere, content_type="application/json").status_code in (400, 404)
    del elsewhere["with_team"]
    assert api.post(listed, elsewhere, content_type="application/json").status_code == 404
    assert [row["id"] for row in api.get(listed).json()["results"]] == [made.json()["id"]]
    one = reverse("share-detail", args=[made.json()["id"]])
    assert house.api("engineer").get(one).status_code == 403
    assert house.api("engineer").post(listed, wanted, content_type="application/json").status_code == 403
    assert house.api("stranger").get(one).status_code == 404
    house.keys["stranger"] = make_key(house.stranger, house.quay)
    assert house.api("stranger").delete(one).status_code == 404
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    for bad in ({}, {"artefact": "x"}, {"type": "thing"}, {"with_team": None}):
        body = {key: value for key, value in (wanted | bad).items() if value is not None} if bad else {}
        assert api.post(listed, body, content_type="application/json").status_code in (400, 404)
