"""What work costs: the hours for which leases held cores and accelerators, times the prices in the settings.

A lease counts from the start of its attempt until it is released, whether the work used what it held or not. Nothing is
made up: without prices there are hours and no amount.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DurationField, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest, Now

from apps.core.models import Project
from apps.gpucloud.models import Job, Lease
from workers.kinds import Resources

HOUR_S = 3600


@dataclass(frozen=True)
class Cost:
    """Hours that were held, or will be, each times how many."""

    core_hours: float
    accelerator_hours: float

    @property
    def amount(self) -> float | None:
        """In the currency of the settings; None when nothing has a price, or something of it has none."""
        parts = (
            (self.core_hours, settings.AIFS_PRICE_CORE_HOUR),
            (self.accelerator_hours, settings.AIFS_PRICE_ACCELERATOR_HOUR),
        )
        priced = [hours * price for hours, price in parts if price is not None]
        unpriced = [hours for hours, price in parts if price is None and hours]
        return sum(priced) if priced and not unpriced else None

    def as_dict(self) -> dict[str, Any]:
        """{"core_hours", "accelerator_hours", "amount", "currency"}, the last two None when there is no amount."""
        amount = self.amount
        return asdict(self) | {"amount": amount, "currency": None if amount is None else settings.AIFS_CURRENCY}


def expected(needs: Resources, seconds: float) -> Cost:
    """Of work that holds so much for so long."""
    hours = seconds / HOUR_S
    return Cost(needs.cpus * hours, needs.accelerators * hours)


def of_project(project: Project, since: datetime) -> Cost:
    """Of all jobs and services of a project, from a moment until now."""
    leases = Lease.objects.filter(
        Q(released_at__isnull=True) | Q(released_at__gt=since),
        attempt__job__project=project,
    )
    return _cost(**_timed(leases, since).aggregate(**SUMS))


def of_job(job: Job) -> Cost:
    """Of all its attempts so far. Costs a query unless the job comes of `with_cost`."""
    if not hasattr(job, "held_cores"):
        return _cost(**_timed(Lease.objects.filter(attempt__job=job)).aggregate(**SUMS))
    return _cost(job.held_cores, job.held_accelerators)  # type: ignore[attr-defined]


def with_cost(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """The same with what `of_job` needs, reckoned only for the rows that are shown."""
    held = _timed(Lease.objects.filter(attempt__job=OuterRef("pk"))).values("attempt__job")
    return jobs.annotate(
        **{name: Subquery(held.annotate(total=total).values("total")[:1]) for name, total in SUMS.items()}
    )


SUMS = {
    "held_cores": Sum(ExpressionWrapper(F("took") * F("cpus"), output_field=DurationField())),
    "held_accelerators": Sum("took", filter=Q(accelerator__isnull=False)),
}


def _timed(leases: QuerySet[Lease], since: datetime | None = None) -> QuerySet[Lease]:
    """With `took`: how long each was held, at the earliest from a moment on."""
    began = Greatest("attempt__started_at", since) if since else F("attempt__started_at")
    took = ExpressionWrapper(Coalesce("released_at", Now()) - began, output_field=DurationField())
    return leases.filter(attempt__started_at__isnull=False).annotate(took=took)


def _cost(held_cores: timedelta | None, held_accelerators: timedelta | None) -> Cost:
    cores, accelerators = ((held or timedelta()).total_seconds() / HOUR_S for held in (held_cores, held_accelerators))
    return Cost(cores, accelerators)
