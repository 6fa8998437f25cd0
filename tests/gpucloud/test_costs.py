"""Hours that were held, times prices: of a job, on its page and in the API, and what nobody has priced."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aifs import environment
from apps.core.templatetags.ui import amount, money
from apps.gpucloud import costs
from apps.gpucloud.costs import Cost
from apps.gpucloud.models import Attempt, Job, Lease
from tests.gpucloud.test_month import ago, lend
from workers.kinds import Resources

JOBS = "/api/v1/jobs/"


def price(settings, core=None, accelerator=None):
    settings.AIFS_CURRENCY = "EUR"
    settings.AIFS_PRICE_CORE_HOUR, settings.AIFS_PRICE_ACCELERATOR_HOUR = core, accelerator


@pytest.mark.parametrize(
    ("core", "accelerator", "cost", "expected"),
    [
        (None, None, Cost(2, 3), None),
        (0.5, 4.0, Cost(2, 3), 13.0),
        (0.5, None, Cost(2, 0), 1.0),
        (0.5, None, Cost(2, 3), None),
        (None, 4.0, Cost(2, 3), None),
        (0.5, 4.0, Cost(0, 0), 0.0),
        (0.0, 0.0, Cost(2, 3), 0.0),
    ],
)
def test_there_is_an_amount_where_all_of_it_has_a_price(settings, core, accelerator, cost, expected):
    price(settings, core, accelerator)
    assert cost.amount == expected
    assert cost.as_dict()["currency"] == (None if expected is None else "EUR")


def test_expected_cost_is_what_is_asked_for_as_long_as_it_takes():
    assert costs.expected(Resources(cpus=4, accelerators=2), 1800) == Cost(2.0, 1.0)


@pytest.mark.django_db
def test_every_attempt_of_a_job_counts(house):
    lease = lend(house.project, 4, 1, cpus=2)
    job = lease.attempt.job
    Attempt.objects.filter(job=job).update(state="failed")
    again = Attempt.objects.create(job=job, number=2, node=lease.node, fence=99, started_at=ago(1))
    for device in (None, lease.node.accelerators.first()):
        held = {"attempt": again, "node": lease.node, "accelerator": device, "fence": 99, "expires_at": ago(0)}
        Lease.objects.create(cpus=0 if device else 3, **held)
    lend(house.project, 9, cpus=50)
    found = costs.of_job(job)
    assert found.core_hours == pytest.approx(6 + 3, abs=0.05)
    assert found.accelerator_hours == pytest.approx(1, abs=0.05)
    (annotated,) = costs.with_cost(Job.objects.filter(pk=job.pk))
    assert costs.of_job(annotated).core_hours == pytest.approx(found.core_hours, abs=0.05)


@pytest.mark.django_db
def test_a_job_that_waits_has_held_nothing(house):
    job = Job.objects.create(project=house.project, kind="gpucloud.check")
    assert costs.of_job(job) == Cost(0, 0)
    assert costs.of_job(costs.with_cost(Job.objects.filter(pk=job.pk)).get()) == Cost(0, 0)


@pytest.mark.django_db
def test_jobs_of_the_api_say_what_they_cost(house, settings):
    price(settings, 0.5, 4.0)
    job = lend(house.project, 4, 1, cpus=2).attempt.job
    client = house.api("viewer")
    (row,) = client.get(JOBS).json()["results"]
    assert row["cost"] == client.get(f"{JOBS}{job.pk}/").json()["cost"]
    assert (round(row["cost"]["core_hours"], 2), row["cost"]["accelerator_hours"]) == (6.0, 0)
    assert (round(row["cost"]["amount"], 2), row["cost"]["currency"]) == (3.0, "EUR")


@pytest.mark.django_db
def test_no_row_of_the_list_asks_for_its_cost(house):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert client.get(JOBS).status_code == 200
        return len(seen)

    client = house.api("viewer")
    lend(house.project, 4, 1, cpus=2)
    queries()
    few = queries()
    for _number in range(5):
        lend(house.project, 4, 1, cpus=2)
    assert queries() == few


@pytest.mark.django_db
def test_the_page_of_a_job_tells_hours_and_price(house, settings):
    job = lend(house.project, 4, 1, cpus=2).attempt.job
    address = f"/p/{house.project.slug}/jobs/{job.pk}/"
    plain = house.client("viewer").get(address).content.decode()
    assert "Core hours" in plain and "Cost" not in plain and "Accelerator hours" not in plain
    price(settings, 0.5)
    assert "3.00 EUR" in house.client("viewer").get(address).content.decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.00"), (1234.5, "1,234.50"), (1, "1.00"), (0.5, "0.50"), (0.0123, "0.012"), (0.00012, "0.00012"),
     (None, "—"), ("", "—")],
)  # fmt: skip
def test_money_is_written_with_what_matters(settings, value, text):
    settings.AIFS_CURRENCY = "EUR"
    assert amount(value) == text
    assert money(value) == (text if text == "—" else f"{text} EUR")


@pytest.mark.parametrize(("given", "value"), [("", None), (" ", None), ("0", 0.0), ("0.35", 0.35)])
def test_a_price_may_be_missing(monkeypatch, given, value):
    monkeypatch.setenv("AIFS_PRICE_CORE_HOUR", given)
    assert environment.price("AIFS_PRICE_CORE_HOUR") == value


@pytest.mark.parametrize("given", ["-1", "nan", "inf", "cheap"])
def test_what_is_no_price_is_refused(monkeypatch, given):
    monkeypatch.setenv("AIFS_PRICE_CORE_HOUR", given)
    with pytest.raises(ValueError):
        environment.price("AIFS_PRICE_CORE_HOUR")
