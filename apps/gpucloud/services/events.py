"""From the lines a run wrote to rows: one transaction a batch, under the fence, so that nothing is stored twice or
lost.

Progress is kept once (the newest), metrics as arrays, logs as chunks of text; a row a point would drown the database.
"""

import json
import math
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Length

from apps.gpucloud.charts import outline
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Attempt, Job, JobEvent, LogChunk, MetricChunk
from apps.gpucloud.services.attempts import Claim
from apps.gpucloud.services.samples import store_sample
from apps.gpucloud.services.transitions import add_event, lock_attempt
from apps.gpucloud.services.wakeups import wake_pages

POINTS_MAX = 1000
CHUNK_CHARACTERS = 64 << 10
LINE_CHARACTERS = 16 << 10
ETA_AFTER_S = 2.0
"""Before this much time has passed, an estimate says more about the start than about the work."""
DEVICE = "device."
"""Begin of the names of series that the agent adds: what a run took of its machine is no result of it."""
TOLD_TO_HANDLERS = {"ready", "artefact", "checkpoint"}


@dataclass
class Batch:
    """New whole lines of a run's files, and where each file has been read to."""

    events: list[dict[str, Any]] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    events_offset: int = 0
    output_offset: int = 0


@transaction.atomic
def store_batch(claim: Claim, batch: Batch) -> None:
    """Store a batch and the offsets it brings. Raises StaleFence, and then nothing is stored."""
    job, attempt = lock_attempt(claim.attempt_id, claim.fence)
    changed = {"last_seq"}
    metrics: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    lines: list[dict[str, Any]] = []
    progress: dict[str, Any] | None = None
    for event in map(clean, batch.events):
        type = event.get("type")
        if type == "metric":
            for name, value in (event.get("values") or {}).items():
                metrics[str(name)[:100]].append(
                    (int(event.get("step") or 0), float("nan") if value is None else value, event["t"])
                )
        elif type == "log":
            lines.append({name: event.get(name) for name in ("t", "level", "message", "data")})
        elif type == "progress":
            progress = event
        elif type == "sample":
            store_sample(job, event)
        else:
            _store_event(job, attempt, event)
    if progress:
        changed |= _store_progress(job, attempt, progress)
    now = round(time.time(), 3)
    lines += [{"t": now, "level": "output", "message": clean(line), "data": {}} for line in batch.output]
    if metrics or lines:
        job.last_seq += 1
        wake_pages(job.pk, job.last_seq)
    if metrics:
        job.metrics = job.metrics | {
            name: _finite(points[-1][1]) for name, points in metrics.items() if not name.startswith(DEVICE)
        }
        changed.add("metrics")
        _append_metrics(job, attempt, metrics)
    if lines:
        _append_lines(job, attempt, lines)
    attempt.events_offset, attempt.output_offset = batch.events_offset, batch.output_offset
    attempt.save(update_fields=["events_offset", "output_offset"])
    job.save(update_fields=list(changed))


def _store_event(job: Job, attempt: Attempt, event: dict[str, Any]) -> None:
    """What is rare and matters: kept as a row of its own, and told to the app of the kind."""
    data = {name: value for name, value in event.items() if name not in ("seq", "t", "type")}
    type = str(event.get("type"))[:20]
    if type == "environment":
        attempt.environment = data
        attempt.save(update_fields=["environment"])
        return
    if type == "result":
        attempt.result = data.get("values") or {}
        attempt.save(update_fields=["result"])
    elif type == "error":
        attempt.reason = data
        attempt.save(update_fields=["reason"])
    if type != "checkpoint":  # told once it is in storage
        add_event(job, type, data)
    if type in TOLD_TO_HANDLERS:
        handler_for(job.kind).on_event(job, attempt, event)


def _store_progress(job: Job, attempt: Attempt, event: dict[str, Any]) -> set[str]:
    """Only the newest progress is worth keeping; its row moves up to the newest sequence number."""
    job.progress = progress_after(job.progress, event, attempt.number)
    JobEvent.objects.filter(job=job, type="progress").delete()
    add_event(job, "progress", {name: value for name, value in job.progress.items() if name != "since"})
    return {"progress"}


def progress_after(before: dict[str, Any], event: dict[str, Any], attempt: int) -> dict[str, Any]:
    """Progress to store, with the time left in seconds by the mean speed since this stretch of work began.

    A stretch is one attempt at one total and message: counting starts anew when any of them changes.
    """
    done, total = float(event.get("done") or 0), float(event.get("total") or 0)
    stretch = [attempt, total, event.get("message", "")]
    since = before.get("since") or {}
    if since.get("stretch") != stretch or done < since.get("done", 0):
        since = {"stretch": stretch, "t": event["t"], "done": done}
    elapsed, moved = event["t"] - since["t"], done - since["done"]
    eta_s = round((total - done) * elapsed / moved, 1) if moved > 0 and elapsed >= ETA_AFTER_S else None
    kept = {name: event.get(name) for name in ("unit", "message", "data")}
    return {**kept, "done": event.get("done"), "total": event.get("total"), "eta_s": eta_s, "since": since}


def _append_metrics(job: Job, attempt: Attempt, metrics: dict[str, list[tuple[int, float, float]]]) -> None:
    newest = {
        chunk.name: chunk
        for chunk in MetricChunk.objects.filter(job=job, attempt=attempt, name__in=list(metrics))
        .order_by("name", "-id")
        .distinct("name")
        .defer("steps", "values", "times")
        .annotate(points=F("steps__len"))
    }
    for name, points in metrics.items():
        chunk = newest.get(name)
        room = POINTS_MAX - (chunk.points or 0) if chunk else 0  # type: ignore[attr-defined]
        if chunk and room > 0:
            _extend_chunk(chunk.pk, points[:room], job.last_seq)
            if len(points) >= room:
                _outline_chunk(chunk.pk)
            points = points[room:]
        MetricChunk.objects.bulk_create(
            _new_chunk(job, attempt, name, points[start : start + POINTS_MAX])
            for start in range(0, len(points), POINTS_MAX)
        )


def _new_chunk(job: Job, attempt: Attempt, name: str, points: list[tuple[int, float, float]]) -> MetricChunk:
    steps, values, times = (list(column) for column in zip(*points, strict=True))
    return MetricChunk(
        job=job, attempt=attempt, name=name, first_step=steps[0], steps=steps, values=values, times=times,
        last_seq=job.last_seq, outline=outline(points) if len(points) == POINTS_MAX else None,
    )  # fmt: skip


def _outline_chunk(chunk_id: int) -> None:
    """Once a chunk is full, what a chart needs of it is written down."""
    columns = MetricChunk.objects.values_list("steps", "values", "times").get(pk=chunk_id)
    points = list(zip(*columns, strict=True))
    MetricChunk.objects.filter(pk=chunk_id).update(outline=outline(points))


def _extend_chunk(chunk_id: int, points: list[tuple[int, float, float]], last_seq: int) -> None:
    """Append inside PostgreSQL: the arrays do not travel."""
    steps, values, times = (list(column) for column in zip(*points, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE gpucloud_metricchunk SET steps = steps || %s::bigint[], values = values || %s::float8[],"
            " times = times || %s::float8[], last_seq = %s WHERE id = %s",
            [steps, values, times, last_seq, chunk_id],
        )


def _append_lines(job: Job, attempt: Attempt, lines: list[dict[str, Any]]) -> None:
    last = LogChunk.objects.filter(job=job).order_by("-first_line").defer("text").annotate(size=Length("text")).first()
    number = last.first_line + last.lines if last else 1
    if last and (last.attempt_id != attempt.pk or last.size >= CHUNK_CHARACTERS):  # type: ignore[attr-defined]
        last = None
    size = last.size if last else 0  # type: ignore[attr-defined]
    texts: list[str] = []

    def flush() -> None:
        if texts and last:
            LogChunk.objects.filter(pk=last.pk).update(
                text=Concat(F("text"), Value("".join(texts))), lines=F("lines") + len(texts), last_seq=job.last_seq
            )
        elif texts:
            LogChunk.objects.create(
                job=job,
                attempt=attempt,
                first_line=number,
                lines=len(texts),
                text="".join(texts),
                last_seq=job.last_seq,
            )

    for line in lines:
        text = json.dumps(_shortened(line), ensure_ascii=False) + "\n"
        if size + len(text) > CHUNK_CHARACTERS and (texts or last):
            flush()
            number += len(texts)
            texts, last, size = [], None, 0
        texts.append(text)
        size += len(text)
    flush()


def _shortened(line: dict[str, Any]) -> dict[str, Any]:
    message = str(line.get("message") or "")
    return {**line, "message": message if len(message) <= LINE_CHARACTERS else message[:LINE_CHARACTERS] + "…"}


def clean(value: Any) -> Any:
    """What PostgreSQL can hold: no NUL in texts, no NaN or infinity in JSON."""
    if isinstance(value, str):
        return value.replace("\0", "�").encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
