"""Somebody starts a project and owns it."""

import pytest
from django.urls import reverse

from apps.core.models import AuditEvent, Membership, Project
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


URL = "/projects/new/"


def test_the_maker_is_its_owner(house):
    client = house.client("viewer")
    assert client.get(URL).status_code == 200
    answer = client.post(URL, {"name": "Night Desk", "slug": "", "description": ""})
    project = Project.objects.get(slug="night-desk")
    assert answer["Location"] == reverse("core:dashboard", args=["night-desk"])
    assert Membership.objects.get(project=project).role == "owner"
    assert AuditEvent.objects.filter(project=project, action="project.create", user=house.viewer).exists()


def test_a_taken_short_name_is_said(house):
    answer = house.client().post(URL, {"name": "Other", "slug": house.project.slug})
    assert answer.status_code == 409
    assert house.project.slug in answer.content.decode()


def test_a_chinese_name_needs_a_short_name(house):
    assert house.client().post(URL, {"name": "夜班"}).status_code == 400
    assert house.client().post(URL, {"name": "夜班", "slug": "night"}).status_code == 302


def test_a_name_is_needed(house):
    assert "name" in house.client().post(URL, {"name": ""}).context["form"].errors


def test_signed_out_goes_to_sign_in(house):
    assert house.client(None).get(URL).status_code == 302
