"""The operators' desk as a whole: its first page, its settings, its policy, its menu."""

import pytest
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from aifs.desk import navigation
from apps.core.models import AuditEvent
from apps.gpucloud.models import Job, JobState, Node, NodeState
from tests.factories import House, make_house

pytestmark = pytest.mark.django_db
SAME = {"ID", "IP", "SHA-256"}
SECRET = "canary-in-the-environment"


@pytest.fixture
def house() -> House:
    return make_house()


def make_job(house: House, **fields: object) -> Job:
    given = {"kind": "gpucloud.check", "params": {}, "created_by": house.engineer} | fields
    return Job.objects.create(project=house.project, **given)


def test_first_page_counts_what_waits_fails_and_is_away(admin_client: Client, house: House) -> None:
    make_job(house)
    make_job(house, state=JobState.FAILED, ended_at=timezone.now())
    make_job(house, state=JobState.FAILED, ended_at=timezone.now() - timezone.timedelta(days=3))
    Node.objects.create(name="away", state=NodeState.LOST)
    figures = {str(row.label): row for row in admin_client.get(reverse("admin:index")).context["figures"]}
    assert figures["Jobs waiting"].count == 1
    assert (figures["Jobs failed in the last day"].count, figures["Jobs failed in the last day"].alarming) == (1, True)
    assert (figures["Nodes lost"].count, figures["Deployments not ready"].count) == (1, 0)
    for row in figures.values():
        assert admin_client.get(row.url).status_code == 200, row.label


def test_settings_show_no_secret(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("REDIS_URL", f"redis://:{SECRET}@cache.example:6379/0")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://aifs:{SECRET}@db.example/aifs?sslpassword={SECRET}")
    monkeypatch.setenv("EMAIL_URL", f"smtp://post:{SECRET}@mail.example:587")
    monkeypatch.setenv("AIFS_LOG_LEVEL", "WARNING")
    text = admin_client.get(reverse("admin:settings")).content.decode()
    assert SECRET not in text
    assert "cache.example:6379/0" in text
    assert "WARNING" in text


@pytest.mark.parametrize("staff", [False, True])
def test_the_desk_is_for_operators(house: House, staff: bool) -> None:
    house.owner.is_staff = staff
    house.owner.save()
    for name in ("settings", "index", "core_auditevent_changelist"):
        answer = house.client("owner").get(reverse(f"admin:{name}"))
        assert (answer.status_code, "/login/" in answer["Location"]) == (302, True), name


def test_only_the_admin_may_evaluate(admin_client: Client, house: House) -> None:
    policy = admin_client.get(reverse("admin:index"))["Content-Security-Policy"].split("; ")
    assert "script-src 'self' 'unsafe-eval'" in policy
    page = house.client("owner").get(reverse("core:dashboard", args=[house.project.slug]))
    assert "unsafe" not in page["Content-Security-Policy"]


def test_menu_leads_to_every_list_of_our_own_and_no_other(admin_client: Client, rf: object) -> None:
    links = {str(item["link"]) for group in navigation(rf) for item in group["items"]}
    lists = {
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    }
    assert lists <= links
    assert links - lists == {reverse("admin:index"), reverse("admin:settings")}


def test_a_failed_job_is_started_again(admin_client: Client, house: House) -> None:
    failed, done = make_job(house, state=JobState.FAILED), make_job(house, state=JobState.SUCCEEDED)
    chosen = {"action": "retry", "_selected_action": [failed.pk, done.pk]}
    answer = admin_client.post(reverse("admin:gpucloud_job_changelist"), chosen, follow=True)
    assert "This job has succeeded." in answer.content.decode()
    failed.refresh_from_db()
    done.refresh_from_db()
    assert (failed.state, done.state) == (JobState.QUEUED, JobState.SUCCEEDED)
    assert AuditEvent.objects.get(action="job.retry").object_id == str(failed.pk)


def test_a_running_job_is_asked_to_stop_and_its_place_changed(admin_client: Client, house: House) -> None:
    job = make_job(house)
    url = reverse("admin:gpucloud_job_changelist")
    page = admin_client.get(reverse("admin:gpucloud_job_change", args=[job.pk]))
    form = page.context["adminform"].form
    sent = {"priority": form.initial["priority"] + 5, "state": "succeeded"}
    sent |= {f"attempts-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    admin_client.post(reverse("admin:gpucloud_job_change", args=[job.pk]), sent)
    job.refresh_from_db()
    assert (job.priority, job.state) == (sent["priority"], JobState.QUEUED)
    admin_client.post(url, {"action": "cancel", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_lists_speak_chinese(admin_client: Client, house: House) -> None:
    """No heading of a list is left in English: a new field's name goes into aifs/desk_words.py."""
    make_job(house)
    english = []
    with override("zh-hans"):
        for model, page in admin.site._registry.items():
            names = [model._meta.verbose_name, model._meta.verbose_name_plural]
            names += [label_for_field(name, model, page) for name in page.list_display if name != "__str__"]
            english += [f"{model.__name__}: {name}" for name in names if str(name).isascii() and name not in SAME]
    assert not english
