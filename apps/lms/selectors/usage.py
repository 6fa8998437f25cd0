"""What deployments were asked, what users thought of the answers, and what an hour of each costs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, Max, OuterRef, Q, Subquery, Sum
from django.utils import timezone

from apps.gpucloud import costs
from apps.lms.models import Deployment, Feedback, Usage
from apps.lms.selectors.deployments import routable
from workers.kinds import Resources


def rates(deployments: Iterable[Deployment]) -> dict[str, dict[str, Any]]:
    """What an hour of one instance of each holds and costs: {name: as `Cost.as_dict`}. Endpoints elsewhere hold nothing
    here, and are left out."""
    held = {row.name: routable(row)[0].job.resources for row in deployments if routable(row)}
    return {name: costs.expected(Resources(**needs), costs.HOUR_S).as_dict() for name, needs in held.items()}


def usage_of(deployment: Deployment, days: int = 1) -> dict[str, Any]:
    """Calls, tokens and times of the last days."""
    since = timezone.now() - timedelta(days=days)
    rows = Usage.objects.filter(deployment=deployment, at__gte=since)
    totals: dict[str, Any] = rows.aggregate(
        calls=Count("pk"),
        failed=Count("pk", filter=Q(status__gte=400)),
        prompt_tokens=Sum("prompt_tokens", default=0),
        cached_tokens=Sum("cached_tokens", default=0),
        completion_tokens=Sum("completion_tokens", default=0),
        ttft_ms=Avg("ttft_ms"),
        duration_ms=Avg("duration_ms"),
    )
    totals["success_pct"] = 100 * (totals["calls"] - totals["failed"]) / totals["calls"] if totals["calls"] else None
    prompt = totals["prompt_tokens"]
    totals["cached_pct"] = 100 * totals["cached_tokens"] / prompt if prompt else None
    return totals


@dataclass(frozen=True)
class Ratings:
    """What users thought of the answers of one deployment that were asked for under one name: the deployment's own, or
    a published prompt's."""

    deployment: UUID
    model: str
    count: int
    mean: float
    newest: datetime


def ratings_of(deployments: Collection[UUID]) -> list[Ratings]:
    """By deployment and name. No access check: for rows that somebody may see already."""
    if not deployments:
        return []
    answers = Usage.objects.filter(pk=OuterRef("response_id"), project=OuterRef("project"))
    rows = (
        Feedback.objects.filter(project__in=Deployment.objects.filter(pk__in=deployments).values("project"))
        .annotate(deployment=Subquery(answers.values("deployment")), model=Subquery(answers.values("model")))
        .filter(deployment__in=deployments)
        .values("deployment", "model")
        .annotate(count=Count("pk"), mean=Avg("score"), newest=Max("created_at"))
        .order_by("deployment", "model")
    )
    return [Ratings(**row) for row in rows]
