"""Owners invite; everybody sees who is in."""

import pytest
from django.urls import reverse

from apps.core.models import Invitation
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def url(house):
    return reverse("core:settings_members", args=[house.project.slug])


def invite(house, part="owner", **fields):
    return house.client(part).post(url(house), {"email": "New@Example.com", "role": "expert"} | fields)


def test_an_invitation_shows_its_link_once(house):
    answer = invite(house)
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role) == ("new@example.com", "expert")
    assert "/invitations/" in answer.context["link"]
    assert answer.context["link"] not in house.client().get(url(house)).content.decode()
    assert invitation.hash not in answer.context["link"]


def test_a_second_one_replaces_the_first(house):
    first = invite(house).context["link"]
    invite(house, role="viewer")
    assert Invitation.objects.get().role == "viewer"
    assert house.client(None).get(first).status_code == 404


def test_members_are_not_invited_again(house):
    assert invite(house, email=house.viewer.email).status_code == 409


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("en", "Withdraw the invitation of new@example.com? Its link stops working."),
        ("zh-hans", "撤回对 new@example.com 的邀请？邀请链接将失效。"),
    ],
)
def test_withdrawing_one_says_what_ends(house, language, question):
    invite(house)
    client = house.client()
    client.cookies["django_language"] = language
    assert f'data-confirm="{question}"' in client.get(url(house)).content.decode()


@pytest.mark.parametrize("fields", [{"email": "nobody"}, {"role": "king"}])
def test_bad_input_stands_beside_the_field(house, fields):
    assert list(invite(house, **fields).context["form"].errors) == list(fields)


def test_the_rail_marks_settings(house):
    tools = house.client().get(url(house)).context["tools"]
    assert [str(line["label"]) for line in tools if line["active"]] == ["Settings"]


def test_everybody_in_the_project_sees_the_members(house):
    answer = house.client("viewer").get(url(house))
    assert len(answer.context["rows"]) == 5
    assert "new@example.com" not in answer.content.decode()


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not_invite(house, part, status):
    assert invite(house, part).status_code == status
    assert not Invitation.objects.exists()
