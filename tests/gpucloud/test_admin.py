"""The operators' desk for quotas and pools."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core.models import AuditEvent
from apps.gpucloud.models import Node, Quota
from tests.factories import make_project
from tests.gpucloud.pieces import fresh, make_node, schedule

pytestmark = pytest.mark.django_db
LISTED = reverse("admin:gpucloud_quota_changelist")
MOST = 8


@pytest.fixture
def quota(house):
    return Quota.objects.create(project=house.project, cpus=8)


def change(quota):
    return reverse("admin:gpucloud_quota_change", args=[quota.pk])


def told():
    events = AuditEvent.objects.filter(action__startswith="quota.").order_by("at")
    return [(event.action, event.object_name, event.data) for event in events]


def test_a_quota_is_given_changed_and_taken_away(admin_client, house, check, node):
    job = check()
    add = reverse("admin:gpucloud_quota_add")
    given = {"project": house.project.pk, "cpus": "", "memory_mib": "", "accelerators": "2", "running_jobs": "0"}
    assert admin_client.post(add, given).status_code == 302
    quota = Quota.objects.get()
    assert quota.limits == {"accelerators": 2, "running_jobs": 0}
    schedule()
    assert fresh(job).reason["code"] == "over_quota"
    admin_client.post(change(quota), given | {"running_jobs": "3"})
    assert schedule().placed == 1
    admin_client.post(reverse("admin:gpucloud_quota_delete", args=[quota.pk]), {"post": "yes"})
    assert not Quota.objects.exists()
    assert told() == [
        ("quota.create", "Harbour", {"accelerators": 2, "running_jobs": 0}),
        ("quota.update", "Harbour", {"accelerators": 2, "running_jobs": 3}),
        ("quota.delete", "Harbour", {"accelerators": 2, "running_jobs": 3}),
    ]
    assert set(AuditEvent.objects.filter(action__startswith="quota.").values_list("project", flat=True)) == {
        house.project.pk
    }


def test_several_are_taken_away_at_once(admin_client, house, quota):
    other = Quota.objects.create(project=house.other_project)
    chosen = {"action": "delete_selected", "_selected_action": [quota.pk, other.pk], "post": "yes"}
    admin_client.post(LISTED, chosen)
    assert not Quota.objects.exists()
    assert [action for action, _name, _data in told()] == ["quota.delete"] * 2


@pytest.mark.parametrize("wrong", ["-1", "many", "99999999999"])
def test_bad_limits_are_refused_with_words(admin_client, house, quota, wrong):
    answer = admin_client.post(change(quota), {"cpus": wrong})
    assert answer.status_code == 200 and "cpus" in answer.context["adminform"].form.errors
    quota.refresh_from_db()
    assert quota.cpus == 8 and not told()


def test_a_second_one_for_a_project_is_refused(admin_client, house, quota):
    answer = admin_client.post(reverse("admin:gpucloud_quota_add"), {"project": house.project.pk})
    assert answer.status_code == 200 and "project" in answer.context["adminform"].form.errors


def test_a_quota_does_not_move_to_another_project(admin_client, house, quota):
    admin_client.post(change(quota), {"project": house.other_project.pk, "cpus": "4"})
    quota.refresh_from_db()
    assert (quota.project, quota.cpus) == (house.project, 4)


def test_the_list_shows_limits_and_use_and_is_searched_by_project(admin_client, house, quota, check, node):
    check(resources={"cpus": 3})
    schedule()
    Quota.objects.create(project=house.other_project, accelerators=1)
    page = admin_client.get(LISTED, {"q": house.project.slug + "-elsewhere"}).content.decode()
    assert "0 / 1" in page and "3 / 8" not in page
    page = admin_client.get(LISTED).content.decode()
    assert "3 / 8" in page and "1 / —" in page


def test_the_list_asks_few_questions_however_long(admin_client, house):
    for number in range(30):
        Quota.objects.create(project=make_project(f"harbour-{number}"), cpus=number)
    admin_client.get(LISTED)
    with CaptureQueriesContext(connection) as asked:
        assert len(admin_client.get(LISTED).context["cl"].result_list) == 30
    assert len(asked) <= MOST


@pytest.mark.parametrize("part", ["owner", "engineer", "viewer"])
def test_who_is_no_operator_stays_out(house, quota, part):
    for address in (LISTED, change(quota), reverse("admin:gpucloud_quota_add")):
        for method in ("get", "post"):
            answer = getattr(house.client(part), method)(address, {"cpus": "4096"})
            assert answer.status_code == 302 and "/login/" in answer["Location"]
    quota.refresh_from_db()
    assert quota.cpus == 8


def test_pools_are_set_and_filtered(admin_client, house):
    north = make_node("north")
    make_node("south")
    page = admin_client.get(reverse("admin:gpucloud_node_change", args=[north.pk]))
    form = page.context["adminform"].form
    sent = {"name": "north", "pool": "training", "labels": "{}"}
    sent |= {f"accelerators-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    assert "pool" in form.fields
    admin_client.post(reverse("admin:gpucloud_node_change", args=[north.pk]), sent)
    assert Node.objects.get(pk=north.pk).pool == "training"
    make_node("north")  # its agent starts again, and names the pool of its configuration
    shown = admin_client.get(reverse("admin:gpucloud_node_changelist"), {"pool": "training"})
    assert [node.name for node in shown.context["cl"].result_list] == ["north"]
