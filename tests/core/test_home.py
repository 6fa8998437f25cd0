"""The way in leads to a project, or says how to get one."""

import pytest
from django.urls import reverse

from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def test_signed_out_goes_to_sign_in(house):
    answer = house.client(None).get(reverse("home"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


def test_to_the_project_that_was_open_last(house):
    client = house.client("owner")
    client.get(reverse("core:settings_keys", args=[house.project.slug]))
    answer = client.get(reverse("home"))
    assert answer["Location"] == reverse("core:dashboard", args=[house.project.slug])


def test_a_project_one_has_left_is_forgotten(house):
    client = house.client("stranger")
    session = client.session
    session["project"] = house.project.slug
    session.save()
    assert client.get(reverse("home"))["Location"] == reverse("core:dashboard", args=[house.other_project.slug])


def test_without_a_project_there_is_a_way_to_make_one(house):
    house.stranger.memberships.all().delete()
    answer = house.client("stranger").get(reverse("home"))
    assert reverse("core:project_create") in answer.content.decode()
