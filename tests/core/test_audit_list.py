"""Owners see who did what."""

import pytest
from django.urls import reverse

from apps.core.models import AuditEvent
from apps.core.services import record_audit
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def url(house, query=""):
    return reverse("core:audit_list", args=[house.project.slug]) + query


def test_newest_first_with_the_person(house):
    record_audit(house.actor("engineer"), "thing.first", house.project)
    record_audit(house.actor("engineer"), "thing.second", house.project)
    page = house.client().get(url(house)).context["rows"]
    assert [event.action for event in page][:2] == ["thing.second", "thing.first"]
    assert page[0].user == house.engineer
    assert page[0].ip == "127.0.0.1"


def test_a_search_narrows(house):
    record_audit(None, "thing.first", house.project)
    record_audit(None, "other.first", house.project)
    assert [event.action for event in house.client().get(url(house, "?q=other")).context["rows"]] == ["other.first"]


def test_other_projects_are_not_shown(house):
    record_audit(None, "thing.first", house.other_project)
    assert not house.client().get(url(house)).context["rows"]


def test_many_are_turned_page_by_page(house):
    for _number in range(60):
        record_audit(None, "thing.first", house.project)
    first = house.client().get(url(house)).context["list"]
    assert len(house.client().get(url(house, first["after"])).context["rows"]) == 10


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert house.client(part).get(url(house)).status_code == status


def test_events_cannot_be_changed_in_the_admin(admin_client, house):
    event = record_audit(None, "thing.first", house.project)
    page = admin_client.get(reverse("admin:core_auditevent_change", args=[event.pk]))
    assert page.status_code == 200
    admin_client.post(reverse("admin:core_auditevent_change", args=[event.pk]), {"action": "forged"})
    admin_client.post(reverse("admin:core_auditevent_delete", args=[event.pk]), {"post": "yes"})
    assert AuditEvent.objects.get(pk=event.pk).action == "thing.first"
