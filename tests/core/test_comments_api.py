"""`/api/v1/comments/`."""

import pytest
from django.urls import reverse

from apps.core.models import Comment, Notification
from tests.factories import make_artefact, make_house, make_key

pytestmark = pytest.mark.django_db
LIST = "comment-list"


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def thing(house):
    return make_artefact(house.project, "rows:1", "dataset_version")


def post(house, thing, part="expert", headers=None, **body):
    known = {"type": thing.type, "object_id": str(thing.pk), "text": "Well done."}
    return house.api(part).post(reverse(LIST), known | body, content_type="application/json", headers=headers or {})


def one(comment):
    return reverse("comment-detail", args=[comment["id"]])


def test_say_read_change_resolve_delete(house, thing):
    made = post(house, thing, text=f"@{house.engineer.name} look")
    assert made.status_code == 201
    comment = made.json()
    assert comment["mentions"] == [str(house.engineer.pk)]
    assert Notification.objects.get().user == house.engineer
    found = house.api("viewer").get(reverse(LIST), {"type": thing.type, "object_id": str(thing.pk)}).json()["results"]
    assert [row["id"] for row in found] == [comment["id"]]
    api = house.api("expert")
    changed = api.patch(one(comment), {"text": "nobody"}, content_type="application/json").json()
    assert (changed["text"], changed["mentions"]) == ("nobody", [])
    done = house.api("engineer").patch(one(comment), {"resolved": True}, content_type="application/json").json()
    assert done["resolved_by"]["email"] == house.engineer.email
    assert not api.get(reverse(LIST), {"resolved_at__isnull": "true"}).json()["results"]
    assert api.delete(one(comment)).status_code == 204
    assert api.get(one(comment)).status_code == 404


def test_the_same_call_twice_says_it_once(house, thing):
    once = {"Idempotency-Key": "say-it"}
    assert post(house, thing, headers=once).json()["id"] == post(house, thing, headers=once).json()["id"]
    assert Comment.objects.count() == 1


@pytest.mark.parametrize(
    "body", [{"text": ""}, {"text": "x" * 4001}, {"type": ""}, {"object_id": "nonsense"}, {"text": ["a"]}]
)
def test_bad_input(house, thing, body):
    assert post(house, thing, **body).status_code == 400


def test_who_may(house, thing):
    comment = post(house, thing).json()
    assert post(house, thing, "viewer").status_code == 403
    assert post(house, thing, "stranger").status_code == 404
    assert post(house, thing, "stranger", project=house.project.slug).status_code == 404
    assert house.api("stranger").get(one(comment)).status_code == 404
    assert house.api("stranger").get(reverse(LIST)).json()["results"] == []
    assert house.api("owner").patch(one(comment), {"text": "x"}, content_type="application/json").status_code == 403
    assert house.api("engineer").delete(one(comment)).status_code == 403
    assert house.api("owner").delete(one(comment)).status_code == 204


def test_a_key_that_only_views_does_not_write(house, thing):
    house.keys["owner"] = make_key(house.owner, house.project, ["view"])
    assert post(house, thing, "owner").status_code == 403
    assert house.api("owner").get(reverse(LIST)).status_code == 200
