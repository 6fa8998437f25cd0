"""One's own notifications become read: one by one, by opening, all at once; the bell counts the others."""

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.models import MutedEvent, Notification
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def row(house):
    services.emit("job.failed", house.project, to=[house.viewer], url="/p/harbour/jobs/", job="x")
    return Notification.objects.get()


def unread(house, part="viewer"):
    return house.client(part).get(reverse("core:notification_unread")).json()["unread"]


def test_notification_unread_counts_for_the_bell(house, row):
    assert (unread(house), unread(house, "owner")) == (1, 0)
    assert house.client(None).get(reverse("core:notification_unread")).status_code == 302


def test_notification_read(house, row):
    url = reverse("core:notification_read", args=[row.pk])
    assert house.client("owner").post(url).status_code == 404
    assert house.client(None).post(url).status_code == 302
    assert house.client("viewer").get(url).status_code == 405
    assert unread(house) == 1
    assert house.client("viewer").post(url).status_code == 302
    assert unread(house) == 0


def test_notification_open_goes_to_the_page(house, row):
    url = reverse("core:notification_open", args=[row.pk])
    assert house.client("stranger").get(url).status_code == 404
    assert house.client("viewer").get(url)["Location"] == "/p/harbour/jobs/"
    assert unread(house) == 0


def test_notification_read_all(house, row):
    services.emit("job.failed", house.project, to=[house.owner], job="y")
    assert house.client("viewer").get(reverse("core:notification_read_all")).status_code == 405
    assert house.client("viewer").post(reverse("core:notification_read_all")).status_code == 302
    assert (unread(house), unread(house, "owner")) == (0, 1)


def test_notification_settings_mute_events_for_oneself(house):
    url = reverse("core:notification_settings")
    assert house.client("viewer").post(url, {"events": ["job.succeeded"], "save": "1"}).status_code == 302
    muted = set(MutedEvent.objects.filter(user=house.viewer).values_list("event", flat=True))
    assert "job.failed" in muted and "job.succeeded" not in muted
    assert house.client("viewer").get(url).context["form"].initial["events"] == ["job.succeeded"]
    assert house.client("viewer").post(url, {"events": ["job.exploded"]}).context["form"].errors
    assert house.client("viewer").post(url, {"save": "1"}).status_code == 302
    services.emit("job.succeeded", house.project, to=[house.viewer], job="x")
    assert not Notification.objects.exists()
    assert house.client(None).get(url).status_code == 302
