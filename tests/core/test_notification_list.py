"""What happened that concerns a person: told with the commit, read alone by that person, in their language."""

import pytest
from django.db import transaction
from django.urls import reverse

from apps.core import notices, services
from apps.core.models import Notification
from tests.factories import make_house, make_key

pytestmark = pytest.mark.django_db
LIST = "core:notification_list"


@pytest.fixture
def house():
    return make_house()


def tell(house, *parts, **more):
    to = [house.user(part) for part in parts]
    services.emit("job.failed", house.project, to=to, url=f"/p/{house.project.slug}/", job="a <b>job</b>", **more)


def test_it_says_what_happened_and_escapes_it(house):
    tell(house, "viewer")
    answer = house.client("viewer").get(reverse(LIST))
    assert answer.context["unread"] == 1
    body = answer.content.decode()
    assert "The job “a &lt;b&gt;job&lt;/b&gt;” has failed." in body
    assert not house.client("owner").get(reverse(LIST)).context["rows"]


def test_it_speaks_the_readers_language(house):
    services.set_language(house.viewer, "zh-hans")
    tell(house, "viewer")
    client = house.client("viewer")
    client.cookies["django_language"] = "zh-hans"
    assert "任务" in client.get(reverse(LIST), headers={"Accept-Language": "zh-hans"}).context["rows"][0]["text"]


def test_a_deed_that_is_undone_is_told_to_nobody(house):
    with transaction.atomic():
        tell(house, "viewer")
        transaction.set_rollback(True)
    assert not Notification.objects.exists()


def test_strangers_the_doer_and_who_muted_it_hear_nothing(house):
    services.set_heard_events(house.actor("expert"), set(notices.names()) - {"job.failed"})
    tell(house, "viewer", "stranger", "expert", "owner", by=house.owner)
    assert [row.user for row in Notification.objects.all()] == [house.viewer]


def test_who_has_left_sees_it_no_more(house):
    tell(house, "viewer")
    house.project.memberships.filter(user=house.viewer).delete()
    assert not house.client("viewer").get(reverse(LIST)).context["rows"]


def test_older_ones_are_a_page_away(house):
    for _number in range(32):
        tell(house, "viewer")
    client = house.client("viewer")
    first = client.get(reverse(LIST)).context
    second = client.get(reverse(LIST), {"before": str(first["older"])}).context
    assert (len(first["rows"]), len(second["rows"]), second["older"]) == (30, 2, None)
    assert client.get(reverse(LIST), {"before": "nonsense", "unread": "1"}).status_code == 200


def test_signed_out(house):
    assert house.client(None).get(reverse(LIST)).status_code == 302


def test_a_job_that_ends_tells_who_started_it(house):
    from apps.gpucloud.models import JobState
    from apps.gpucloud.services import submit_job
    from apps.gpucloud.services.transitions import end_job, lock_job

    ends = {}
    for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED):
        job = submit_job(house.actor("engineer"), house.project, "gpucloud.check", {}, name=f"check {state}")
        end_job(lock_job(job.pk), state)
        ends[state] = reverse("gpucloud:job_detail", args=[house.project.slug, job.pk])
    told = {row.event: (row.user, row.data["job"], row.url) for row in Notification.objects.all()}
    assert told == {
        "job.succeeded": (house.engineer, "check succeeded", ends["succeeded"]),
        "job.failed": (house.engineer, "check failed", ends["failed"]),
    }


def test_an_accepted_invitation_tells_who_invited(house):
    _invitation, token = services.invite_member(house.actor(), house.project, house.stranger.email, "viewer")
    services.accept_invitation(house.stranger, token)
    row = Notification.objects.get()
    assert (row.user, row.event, row.data["person"]) == (house.owner, "invitation.accepted", str(house.stranger))


# --- the API


def test_the_api_shows_ones_own_within_the_project_of_the_key(house):
    tell(house, "viewer", "owner")
    found = house.api("viewer").get(reverse("notification-list")).json()["results"]
    assert [row["text"] for row in found] == ["The job “a <b>job</b>” has failed."]
    elsewhere = make_key(house.stranger, house.other_project)
    house.keys["stranger"] = elsewhere
    assert house.api("stranger").get(reverse("notification-detail", args=[found[0]["id"]])).status_code == 404
    assert house.api("owner").get(reverse("notification-detail", args=[found[0]["id"]])).status_code == 404
    assert house.api("viewer").get(reverse("notification-list"), {"project": "elsewhere"}).status_code == 404


def test_the_api_marks_read(house):
    tell(house, "viewer")
    tell(house, "viewer")
    api = house.api("viewer")
    first = api.get(reverse("notification-list")).json()["results"][0]["id"]
    assert api.post(reverse("notification-read", args=[first])).json()["read_at"]
    unread = api.get(reverse("notification-list"), {"read_at__isnull": "true"}).json()["results"]
    assert len(unread) == 1
    assert api.post(reverse("notification-read-all")).json() == {"read": 1}
