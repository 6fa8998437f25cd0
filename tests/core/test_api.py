"""`/api/v1/`: projects, members, keys, audit events and artefacts."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from apps.core import parsing
from apps.core.models import ApiKey, Artefact, Membership, Project
from tests.factories import bearer, make_artefact, make_house, make_key

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def house():
    return make_house()


def rows(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


# --- keys


@pytest.mark.parametrize(
    "header",
    [
        "Bearer aifs_x_y",
        "Bearer",
        "Bearer ' OR 1=1 --",
        "Bearer aifs_%00_x",
        "Bearer aifs__",
        "Bearer \xff\xfe",
        "bearer x y z",
    ],
)
def test_what_is_no_key_is_401(house, client, header):
    answer = client.get(reverse("project-list"), headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


def test_expired_revoked_and_closed_keys_are_401(house, client):
    plain = house.key("expert")
    for change in ({"expires_at": timezone.now() - timedelta(seconds=1)}, {"revoked_at": timezone.now()}):
        ApiKey.objects.update(expires_at=None, revoked_at=None)
        assert client.get(reverse("project-list"), headers=bearer(plain)).status_code == 200
        ApiKey.objects.update(**change)
        assert client.get(reverse("project-list"), headers=bearer(plain)).status_code == 401
    ApiKey.objects.update(expires_at=None, revoked_at=None)
    house.expert.is_active = False
    house.expert.save()
    assert client.get(reverse("project-list"), headers=bearer(plain)).status_code == 401


def test_use_is_noted_once_a_minute(house, client, django_assert_num_queries):
    plain = house.key("expert")
    client.get(reverse("project-list"), headers=bearer(plain))
    first = ApiKey.objects.get().last_used_at
    client.get(reverse("project-list"), headers=bearer(plain))
    assert ApiKey.objects.get().last_used_at == first


def test_a_key_makes_a_key_only_with_the_right_to_manage(house):
    body = {"name": "child", "rights": ["view"]}
    assert house.api("engineer").post(reverse("api-key-list"), body, content_type=JSON).status_code == 403
    answer = house.api("owner").post(reverse("api-key-list"), body, content_type=JSON)
    assert answer.status_code == 201
    assert answer.json()["key"].startswith("aifs_")
    assert "hash" not in answer.json()


def test_a_key_cannot_give_more_than_it_has(house):
    small = make_key(house.owner, house.project, ["view", "manage"])
    answer = house.client(None).post(
        reverse("api-key-list"), {"name": "child", "rights": ["deploy"]}, content_type=JSON, headers=bearer(small)
    )
    assert answer.status_code == 403


def test_everybody_lists_their_own_keys_and_owners_all(house):
    for part in ("owner", "expert", "viewer"):
        house.key(part)
    assert len(rows(house.api("expert").get(reverse("api-key-list")))) == 1
    assert len(rows(house.api("owner").get(reverse("api-key-list")))) == 3


def test_deleting_revokes(house):
    api = house.api("expert")
    key = rows(api.get(reverse("api-key-list")))[0]
    assert api.delete(reverse("api-key-detail", args=[key["id"]])).status_code == 204
    assert api.get(reverse("api-key-list")).status_code == 401
    assert ApiKey.objects.get().revoked_at


# --- projects


def test_a_person_sees_all_projects_a_key_its_own(house):
    Membership.objects.create(project=house.other_project, user=house.owner, role="viewer")
    assert len(rows(house.client("owner").get(reverse("project-list")))) == 2
    assert [row["slug"] for row in rows(house.api("owner").get(reverse("project-list")))] == [house.project.slug]


def test_by_slug_and_by_id(house):
    for name in (house.project.slug, str(house.project.pk)):
        assert house.api("viewer").get(reverse("project-detail", args=[name])).json()["slug"] == house.project.slug
        assert house.api("stranger").get(reverse("project-detail", args=[name])).status_code == 404


def test_a_person_creates_a_project_a_key_cannot(house):
    body = {"name": "Night Desk", "team": "x", "id": str(house.project.pk)}
    answer = house.client("viewer").post(reverse("project-list"), body, content_type=JSON)
    assert answer.status_code == 201
    assert answer.json()["slug"] == "night-desk"
    assert answer.json()["id"] != str(house.project.pk)
    assert house.api("owner").post(reverse("project-list"), body, content_type=JSON).status_code == 403


def test_owners_change_names(house):
    url = reverse("project-detail", args=[house.project.slug])
    assert house.api("engineer").patch(url, {"name": "No"}, content_type=JSON).status_code == 403
    answer = house.api("owner").patch(url, {"name": "Yes", "slug": "other"}, content_type=JSON)
    assert (answer.json()["name"], answer.json()["slug"]) == ("Yes", "harbour")


# --- members


def test_inviting_gives_the_link_once(house):
    body = {"email": "new@example.com", "role": "viewer"}
    answer = house.api("owner").post(reverse("member-list"), body, content_type=JSON)
    assert answer.status_code == 201
    assert "/invitations/" in answer.json()["link"]
    assert house.api("engineer").post(reverse("member-list"), body, content_type=JSON).status_code == 403


def test_roles_are_changed_by_owners(house):
    member = Membership.objects.get(user=house.viewer, project=house.project)
    url = reverse("member-detail", args=[member.pk])
    assert house.api("engineer").patch(url, {"role": "owner"}, content_type=JSON).status_code == 403
    assert house.api("owner").patch(url, {"role": "king"}, content_type=JSON).status_code == 400
    assert house.api("owner").patch(url, {"role": "expert"}, content_type=JSON).json()["role"] == "expert"
    assert house.api("stranger").patch(url, {"role": "owner"}, content_type=JSON).status_code == 404


def test_members_are_removed_by_owners(house):
    member = Membership.objects.get(user=house.viewer, project=house.project)
    url = reverse("member-detail", args=[member.pk])
    assert house.api("engineer").delete(url).status_code == 403
    assert house.api("owner").delete(url).status_code == 204


# --- lists


def test_pages_follow_each_other_without_gaps(house):
    for number in range(7):
        make_artefact(house.project, f"thing-{number}")
    url, seen = reverse("artefact-list") + "?limit=3", []
    while url:
        answer = house.api("viewer").get(url).json()
        seen += [row["name"] for row in answer["results"]]
        url = answer["next"]
    assert seen == [f"thing-{number}" for number in reversed(range(7))]


def test_filters_orders_and_the_project(house):
    make_artefact(house.project, "one")
    make_artefact(house.project, "two", "plan")
    api, url = house.api("viewer"), reverse("artefact-list")
    assert [row["name"] for row in rows(api.get(url, {"type": "plan"}))] == ["two"]
    assert [row["name"] for row in rows(api.get(url, {"ordering": "name"}))] == ["one", "two"]
    assert len(rows(api.get(url, {"project": house.project.slug}))) == 2
    assert api.get(url, {"project": house.other_project.slug}).status_code == 404
    assert api.get(url, {"ordering": "project__name"}).status_code == 400


def test_a_list_shows_no_manifest_an_artefact_does(house):
    made = make_artefact(house.project)
    assert "manifest" not in rows(house.api("viewer").get(reverse("artefact-list")))[0]
    assert "manifest" in house.api("viewer").get(reverse("artefact-detail", args=[made.pk])).json()
    assert house.api("stranger").get(reverse("artefact-detail", args=[made.pk])).status_code == 404


def test_artefacts_cannot_be_written(house):
    made = make_artefact(house.project)
    url = reverse("artefact-detail", args=[made.pk])
    assert house.api("owner").delete(url).status_code == 405
    assert house.api("owner").patch(url, {"name": "x"}, content_type=JSON).status_code == 405
    assert Artefact.objects.get().name == "thing"


def test_audit_events_are_for_owners(house):
    house.key("owner")
    assert rows(house.api("owner").get(reverse("audit-event-list"), {"action": "api_key.create"}))
    assert rows(house.api("engineer").get(reverse("audit-event-list"))) == []
    first = rows(house.api("owner").get(reverse("audit-event-list")))[0]["id"]
    assert house.api("engineer").get(reverse("audit-event-detail", args=[first])).status_code == 403


# --- problems, schema, docs


def test_a_problem_is_in_the_readers_language_and_keeps_its_code(house):
    url = reverse("project-detail", args=["nowhere"])
    english = house.api("viewer").get(url).json()
    assert english == {
        "type": "urn:aifs:error:not_found",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "detail": english["detail"],
        "hint": "",
        "data": {},
    }
    chinese = house.api("viewer").get(url, headers={"Accept-Language": "zh-CN"}).json()
    assert chinese["code"] == "not_found"


def test_field_errors_are_listed(house):
    answer = house.api("owner").post(reverse("member-list"), {"email": "x", "role": "king"}, content_type=JSON)
    assert {row["field"] for row in answer.json()["data"]["errors"]} == {"email", "role"}


@pytest.mark.parametrize("body", ["{", "[" * 100_000, "null", "[]", '"text"', "NaN"])
def test_bodies_that_are_no_object_are_400(house, body):
    answer = house.api("owner").post(reverse("api-key-list"), body, content_type=JSON)
    assert answer.status_code == 400, answer.content[:500]


def test_a_body_too_large_is_413(house):
    body = '{"name": "' + "x" * parsing.LIMIT_BYTES + '"}'
    answer = house.api("owner").post(reverse("api-key-list"), body, content_type=JSON)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


def test_the_schema_is_openapi_3_1_and_valid(house, client):
    answer = client.get(reverse("schema"), headers={"Accept": "application/vnd.oai.openapi+json"})
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    schema = answer.json()
    assert schema["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert "application/problem+json" in operation["responses"]["401"]["content"], (path, method)


def test_the_schema_is_made_without_a_warning():

    GENERATOR_STATS.reset()
    SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS, GENERATOR_STATS.emit_summary()


def test_the_docs_page_lists_every_collection(house, client):
    html = client.get(reverse("api_docs")).content.decode()
    assert "/api/v1/api-keys/" in html
    assert "<script>" not in html
    assert Project.objects.count() == 2
