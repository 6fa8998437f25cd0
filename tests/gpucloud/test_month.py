"""What the dashboard says was used, and spent, since the month began."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.gpucloud import costs
from apps.gpucloud.dashboard import month
from apps.gpucloud.models import Attempt, Job, JobState, Lease
from tests.gpucloud.pieces import gpu, make_node

pytestmark = pytest.mark.django_db


def ago(hours):
    return timezone.now() - timedelta(hours=hours)


def lend(project, started_h, ended_h=None, **lease):
    """A lease held from so many hours ago until so many hours ago, or still."""
    node = make_node(f"node-{Job.objects.count()}", [gpu(0)])
    job = Job.objects.create(project=project, kind="gpucloud.check")
    attempt = Attempt.objects.create(job=job, number=1, node=node, fence=Job.objects.count(), started_at=ago(started_h))
    device = node.accelerators.first() if lease.pop("card", False) else None
    released = None if ended_h is None else ago(ended_h)
    return Lease.objects.create(
        attempt=attempt,
        node=node,
        accelerator=device,
        fence=1,
        expires_at=timezone.now(),
        released_at=released,
        **lease,
    )


def test_hours_are_counted_from_the_first_of_the_month(house):
    lend(house.project, 4, 1, cpus=2)
    lend(house.project, 30, 9, cpus=1)  # only the hour that lies in the month
    lend(house.project, 30, 20, cpus=8)  # before it
    lend(house.project, 2, cpus=1)  # still held
    lend(house.project, 3, 1, card=True)
    lend(house.other_project, 5, 1, cpus=64, card=True)
    found = costs.of_project(house.project, ago(10))
    assert found.core_hours == pytest.approx(6 + 1 + 2, abs=0.05)
    assert found.accelerator_hours == pytest.approx(2, abs=0.05)


def test_jobs_that_ended_and_those_that_failed(house):
    for state, hours in ((JobState.SUCCEEDED, 1), (JobState.FAILED, 2), (JobState.SUCCEEDED, 20)):
        Job.objects.create(project=house.project, kind="x.y", state=state, ended_at=ago(hours))
    done = next(iter(month(house.actor("viewer"), house.project, ago(10))))
    assert (done.value, done.hint) == ("2", "1 of them failed")


def figures(house):
    return {row.label: (row.value, row.hint) for row in month(house.actor("viewer"), house.project, ago(10))}


def test_spend_is_shown_where_everything_has_a_price(house, settings):
    lend(house.project, 4, 1, cpus=2)
    assert "Spend" not in figures(house)
    settings.AIFS_CURRENCY, settings.AIFS_PRICE_CORE_HOUR = "CNY", 0.5
    assert figures(house)["Spend"] == ("3.00", "CNY, jobs and services")
    lend(house.project, 3, 1, card=True)
    assert "Spend" not in figures(house)
    settings.AIFS_PRICE_ACCELERATOR_HOUR = 12.0
    assert figures(house)["Spend"] == ("27.00", "CNY, jobs and services")
