"""Owners see who did what."""

import re

import pytest
from django.urls import reverse
from django.utils import translation

from aifs.environment import ROOT
from apps.core import deeds
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
    assert [row["event"].action for row in page][:2] == ["thing.second", "thing.first"]
    assert page[0]["event"].user == house.engineer
    assert page[0]["event"].ip == "127.0.0.1"


def test_a_search_narrows(house):
    record_audit(None, "thing.first", house.project)
    record_audit(None, "other.first", house.project)
    assert [row["event"].action for row in house.client().get(url(house, "?q=other")).context["rows"]] == [
        "other.first"
    ]


def test_deeds_are_told_in_words_and_chosen_by_what_they_are_about(house):
    record_audit(house.actor("engineer"), "api_key.revoke", house.project)
    record_audit(house.actor("engineer"), "job.submit", house.project)
    rows = house.client().get(url(house, "?thing=api_key")).context["rows"]
    assert [(row["thing"], row["deed"], row["tone"]) for row in rows] == [("API key", "revoked", "bad")]
    with translation.override("zh-hans"):
        assert deeds.in_words("api_key.revoke")["thing"] == "API 密钥"


def test_every_deed_of_the_source_has_words(house):
    """A new noun or verb belongs into `apps/core/deeds.py`."""
    written = set()
    for path in [*(ROOT / "apps").rglob("*.py"), *(ROOT / "aifs").rglob("*.py")]:
        for call in re.findall(r"record_audit\(.*?\)", path.read_text(), re.DOTALL):
            written.update(re.findall(r'"([a-z_]+\.[a-z_]+)"', call))
    assert len(written) > 30
    assert {
        deed for deed in written if deed.split(".")[0] not in deeds.THINGS or deed.split(".")[1] not in deeds.DEEDS
    } == set()


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
