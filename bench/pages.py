"""Opening the pages of a run with a log of 1,000,000 lines and a chart of 1,000,000 points.

Measured is the page and what its island asks for first, in the web process; compared with asking for all of it, as a
page without windows would have to. Target: at most 300 ms at the 95th percentile.
"""

import secrets
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.database import migrated
from bench.measures import summary

COUNT = 1_000_000
BATCH = 20_000
SAMPLES = 20
TARGET_MS = 300.0


def run(folder: Path) -> dict[str, Any]:
    with migrated(folder):
        return measure()


def measure() -> dict[str, Any]:
    from apps.core.readiness import settle

    client, job = furnished()
    settle()  # as the web process does at its start
    place, api = f"/p/bench/jobs/{job.pk}/", f"/api/v1/jobs/{job.pk}/"
    log = opened(client, f"{place}?tab=logs", f"{api}logs/?tail=500")
    chart = opened(client, f"{place}?tab=metrics", f"{api}metrics/?points=1600")
    zoomed = asked(client, f"{api}metrics/?points=1600&names=loss&from=500000&to=510000", SAMPLES)
    middle = asked(client, f"{api}logs/?after=500000&limit=500", SAMPLES)
    found = asked(client, f"{api}logs/?q=line+900000+of&limit=500", 5)
    whole = {
        "log_ms": asked(client, f"{api}logs/?after=0&limit=5000", 3)["ms"]["p50"] * COUNT / 5000,
        "chart_ms": asked(client, f"{api}metrics/?names=loss", 3)["ms"]["p50"],
    }
    return {
        "lines": COUNT,
        "points": COUNT,
        "log": log,
        "chart": chart,
        "chart_zoomed": zoomed,
        "log_middle": middle,
        "log_search_first_answer": found,
        "asking_for_all": whole,
        "ratio_chart": round(whole["chart_ms"] / chart["ms"]["p50"], 1),
        "ratio_log": round(whole["log_ms"] / log["ms"]["p50"], 1),
        "target_ms": TARGET_MS,
        "passed": max(log["ms"]["p95"], chart["ms"]["p95"]) <= TARGET_MS,
    }


def furnished() -> tuple[Any, Any]:
    """A signed-in browser, and a run whose log and chart came in batches, as from an agent."""
    from django.conf import settings
    from django.test import Client

    from apps.core.models import Membership, Project, Role, Team, User
    from apps.gpucloud.models import Attempt, AttemptState, Job, JobState, Node
    from apps.gpucloud.services.attempts import Claim
    from apps.gpucloud.services.events import Batch, store_batch
    from workers.spec import Spec

    settings.ALLOWED_HOSTS = ["testserver"]
    user = User.objects.create_user("bench@example.com", secrets.token_urlsafe(24), name="Bench")
    project = Project.objects.create(team=Team.objects.create(name="Bench"), slug="bench", name="Bench")
    Membership.objects.create(project=project, user=user, role=Role.OWNER)
    job = Job.objects.create(
        project=project, kind="gpucloud.check", name="long", state=JobState.RUNNING, resources={"cpus": 1}
    )
    node = Node.objects.create(name="bench", agent_id=uuid.uuid4())
    attempt = Attempt.objects.create(job=job, number=1, node=node, fence=1, state=AttemptState.RUNNING)
    claim = Claim(attempt.pk, job.pk, 1, Spec(job=str(job.pk), kind=job.kind), service=False)
    for start in range(0, COUNT, BATCH):
        steps = range(start + 1, start + BATCH + 1)
        events = [{"type": "metric", "t": 1e9 + step, "step": step, "values": {"loss": wave(step)}} for step in steps]
        lines = [f"line {step} of the output: a sentence about as long as those that trainers write" for step in steps]
        store_batch(claim, Batch(events, lines, start + BATCH, start + BATCH))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client, job


def wave(step: int) -> float:
    return 2.0 / (1 + step / 50_000) + (step * 2654435761 % 1000) / 5000


def opened(client: Any, page: str, data: str) -> dict[str, Any]:
    """Page and data one after the other, as a browser gets them."""

    def both() -> int:
        return len(client.get(page).content) + len(client.get(data).content)

    return timed(both, SAMPLES)


def asked(client: Any, address: str, samples: int) -> dict[str, Any]:
    return timed(lambda: len(client.get(address).content), samples)


def timed(action: Callable[[], int], samples: int) -> dict[str, Any]:
    size = action()  # what is loaded once is loaded now
    times = []
    for _turn in range(samples):
        began = time.perf_counter()
        action()
        times.append((time.perf_counter() - began) * 1000)
    return {"ms": summary(times), "bytes": size}
