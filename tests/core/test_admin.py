"""The operators' desk for accounts, keys and the audit: deeds go through services and are written down."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user
from django.urls import reverse

from apps.core.models import ApiKey, AuditEvent, Membership, Project, Team, User
from apps.core.services import record_audit
from tests.factories import PASSWORD, bearer, make_house

pytestmark = pytest.mark.django_db
LISTS = ("user", "team", "project", "apikey", "invitation", "auditevent", "artefact", "upload")


@pytest.fixture
def house():
    return make_house()


def act(admin_client, model, action, *rows):
    url = reverse(f"admin:core_{model}_changelist")
    return admin_client.post(url, {"action": action, "_selected_action": [row.pk for row in rows]})


def test_a_closed_account_loses_sessions_and_keys(admin_client, house):
    client, api = house.client("engineer"), house.api("engineer")
    act(admin_client, "user", "close", house.engineer)
    assert not get_user(client).is_authenticated
    assert api.get(reverse("project-list")).status_code == 401
    event = AuditEvent.objects.get(action="user.close")
    assert (event.object_id, event.user.is_superuser) == (str(house.engineer.pk), True)
    act(admin_client, "user", "open", house.engineer)
    assert api.get(reverse("project-list")).status_code == 200
    assert AuditEvent.objects.filter(action="user.open").exists()


def test_nobody_closes_the_own_account(admin_client, admin_user):
    act(admin_client, "user", "close", admin_user)
    admin_user.refresh_from_db()
    assert admin_user.is_active


def test_a_lost_phone_is_helped(admin_client, house):
    client = house.client(None)
    client.post(reverse("account_login"), {"login": house.viewer.email, "password": PASSWORD})
    assert get_user(client) == house.viewer
    Authenticator.objects.create(user=house.viewer, type="totp", data={"secret": "sealed"})
    act(admin_client, "user", "reset_second_factor", house.viewer)
    assert not Authenticator.objects.exists()
    assert not get_user(client).is_authenticated
    assert AuditEvent.objects.filter(action="user.reset_second_factor").exists()


def test_keys_are_revoked_once(admin_client, house):
    plain = house.key("engineer")
    key = ApiKey.objects.get()
    for _time in range(2):
        act(admin_client, "apikey", "revoke", key)
    assert house.client(None).get(reverse("project-list"), headers=bearer(plain)).status_code == 401
    assert AuditEvent.objects.filter(action="api_key.revoke").count() == 1


def test_accounts_and_projects_are_not_deleted_here(admin_client, house):
    for model, row in (("user", house.viewer), ("project", house.project)):
        answer = admin_client.post(reverse(f"admin:core_{model}_delete", args=[row.pk]), {"post": "yes"})
        assert answer.status_code == 403
    assert User.objects.filter(pk=house.viewer.pk).exists()
    assert Project.objects.filter(pk=house.project.pk).exists()


def memberships(house, **roles):
    """The form of a project in the admin as a browser posts it. roles: role now → new role, or None to remove."""
    rows = list(Membership.objects.filter(project=house.project))
    data = {"name": house.project.name, "slug": house.project.slug, "team": house.project.team_id, "description": ""}
    data |= {"memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        place = f"memberships-{number}-"
        role = roles.get(row.role, row.role)
        data |= {f"{place}id": row.pk, f"{place}project": house.project.pk, f"{place}user": row.user_id}
        data |= {f"{place}role": role} if role else {f"{place}role": row.role, f"{place}DELETE": "on"}
    return data


def test_changed_members_are_written_down_one_by_one(admin_client, house):
    url = reverse("admin:core_project_change", args=[house.project.pk])
    assert admin_client.post(url, memberships(house, viewer=None, expert="engineer")).status_code == 302
    events = AuditEvent.objects.filter(action__startswith="member.")
    assert sorted(events.values_list("action", "data__email")) == [
        ("member.change_role", house.expert.email),
        ("member.remove", house.viewer.email),
    ]


def test_a_project_keeps_an_owner(admin_client, house):
    url = reverse("admin:core_project_change", args=[house.project.pk])
    assert admin_client.post(url, memberships(house, owner="viewer")).status_code == 200
    assert Membership.objects.get(user=house.owner, project=house.project).role == "owner"


def test_the_audit_as_csv_runs_no_formula(admin_client, house):
    event = record_audit(house.actor(), "thing.make", house.project)
    AuditEvent.objects.filter(pk=event.pk).update(object_name="=cmd|' /C calc'!A0")
    csv = act(admin_client, "auditevent", "as_csv", event).content.decode()
    assert "'=cmd" in csv
    assert house.owner.email in csv


@pytest.mark.parametrize("model", LISTS)
def test_lists_ask_few_questions_however_long(admin_client, house, model, django_assert_max_num_queries):
    for part in ("owner", "engineer", "expert"):
        house.key(part)
    address = reverse(f"admin:core_{model}_changelist")
    admin_client.get(address)  # the first request also writes the session
    with django_assert_max_num_queries(8):
        assert admin_client.get(address).status_code == 200


@pytest.mark.parametrize("model", LISTS)
def test_who_is_no_operator_stays_out(house, model):
    url = reverse(f"admin:core_{model}_changelist")
    assert house.client("owner").get(url, follow=True).status_code == 403
    assert house.client(None).get(url).status_code == 302


def test_what_happens_to_a_team_is_written_down(admin_client, house):
    admin_client.post(reverse("admin:core_team_add"), {"name": "Harbour pilots"})
    team = Team.objects.get(name="Harbour pilots")
    admin_client.post(reverse("admin:core_team_change", args=[team.pk]), {"name": "Pilots"})
    act(admin_client, "team", "delete_selected", team)
    assert Team.objects.filter(pk=team.pk).exists(), "asked first"
    url = reverse("admin:core_team_changelist")
    admin_client.post(url, {"action": "delete_selected", "_selected_action": [team.pk], "post": "yes"})
    assert not Team.objects.filter(pk=team.pk).exists()
    told = AuditEvent.objects.filter(object_id=str(team.pk)).order_by("at").values_list("action", "data__name")
    assert list(told) == [("team.create", "Harbour pilots"), ("team.update", "Pilots"), ("team.delete", "Pilots")]


def test_a_team_with_projects_stays(admin_client, house):
    admin_client.post(reverse("admin:core_team_delete", args=[house.project.team_id]), {"post": "yes"})
    assert Team.objects.filter(pk=house.project.team_id).exists()
    assert not AuditEvent.objects.filter(action="team.delete").exists()


@pytest.mark.parametrize("model", ["datasets_dataset", "datasets_datasetversion", "lms_model", "core_auditevent"])
def test_what_services_write_is_not_added_by_hand(admin_client, model):
    assert admin_client.get(reverse(f"admin:{model}_add")).status_code == 403
    assert admin_client.post(reverse(f"admin:{model}_add"), {"name": "forged"}).status_code == 403
