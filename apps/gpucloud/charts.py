"""Series as a chart needs them: no more points than it has pixels, lowest and highest of each kept.

A full chunk of metrics holds its outline (models.MetricChunk), so that a million points are drawn from the outlines and
the last chunk. Zoomed in far enough, the points themselves are read.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.gpucloud.models import Job, MetricChunk

BUCKET_POINTS = 50
RAW_CHUNKS = 16
"""So many chunks of a series are read point by point; beyond, by their outlines."""
POINTS_MAX = 10_000
Point = tuple[int, float | None, float]
"""Step, value (None for what is no number), time in Unix seconds."""


def outline(points: Sequence[tuple[int, float, float]]) -> list[float]:
    """Two points of every fifty, the lowest and the highest in the order of their steps, as one flat list."""
    found: list[float] = []
    for start in range(0, len(points), BUCKET_POINTS):
        numbers = [point for point in points[start : start + BUCKET_POINTS] if math.isfinite(point[1])]
        if numbers:
            ends = (min(numbers, key=lambda point: point[1]), max(numbers, key=lambda point: point[1]))
            found += [part for point in sorted(ends) for part in point]
    return found


@dataclass(frozen=True)
class Part:
    """One chunk before it is read. until: the step at which the next one of the same series begins."""

    id: int
    name: str
    attempt: UUID
    first: int
    until: float


def read_chart(
    job: Job, names: Iterable[str], most: int, first: int | None = None, last: int | None = None
) -> dict[str, dict[str, Any]]:
    """{name: {"steps", "values", "times", "thinned"}}, at most `most` points of each series between two steps.

    names: empty for every series; `device.*` for all that begin so. thinned: points were left out; asking for fewer
    steps shows them. What a later attempt did again replaces the earlier points.
    """
    low = -math.inf if first is None else first
    high = math.inf if last is None else last
    found = {}
    for name, parts in _parts(job, list(names)).items():
        wanted = [part for part in parts if part.until >= low and part.first <= high]
        points, whole = _read(wanted)
        points = [point for point in points if low <= point[0] <= high]
        shown = thin(points, most)
        steps, values, times = (list(column) for column in zip(*shown, strict=True)) if shown else ([], [], [])
        found[name] = {
            "steps": steps,
            "values": values,
            "times": times,
            "thinned": not whole or len(shown) < len(points),
        }
    return found


def _parts(job: Job, names: list[str]) -> dict[str, list[Part]]:
    """The chunks of each series in the order they were written, without what they hold."""
    chunks = MetricChunk.objects.filter(job=job).order_by("name", "id")
    if names:
        chunks = chunks.filter(_named(names))
    rows = list(chunks.values_list("id", "name", "attempt_id", "first_step"))
    parts: dict[str, list[Part]] = {}
    for (id, name, attempt, first), after in zip_longest(rows, rows[1:]):
        until = after[3] if after and after[1:3] == (name, attempt) else math.inf
        parts.setdefault(name, []).append(Part(id, name, attempt, first, until))
    return parts


def _named(names: list[str]) -> Q:
    wanted = Q(name__in=names)
    for name in names:
        if name.endswith("*"):
            wanted |= Q(name__startswith=name.removesuffix("*"))
    return wanted


def _read(parts: list[Part]) -> tuple[list[Point], bool]:
    """Points of these chunks, and whether they are all of them. A later attempt cuts off what it did again."""
    raw = len(parts) <= RAW_CHUNKS
    ids = [part.id for part in parts]
    outlines: dict[int, list[float]] = {}
    if not raw:
        full = MetricChunk.objects.filter(pk__in=ids, outline__isnull=False)
        outlines = {id: flat for id, flat in full.values_list("pk", "outline") if flat is not None}
    rest = MetricChunk.objects.filter(pk__in=[id for id in ids if id not in outlines])
    rows = rest.values_list("pk", "steps", "values", "times")
    whole = {id: (steps, values, times) for id, steps, values, times in rows}
    points: list[Point] = []
    attempt = None
    for part in parts:
        if attempt not in (None, part.attempt):
            points = [point for point in points if point[0] < part.first]
        attempt = part.attempt
        if part.id in outlines:
            flat = outlines[part.id]
            points += [(int(flat[at]), flat[at + 1], flat[at + 2]) for at in range(0, len(flat), 3)]
        else:
            steps, values, times = whole[part.id]
            numbers = (value if math.isfinite(value) else None for value in values)
            points += zip(steps, numbers, times, strict=True)
    return points, not outlines


def thin(points: list[Point], most: int) -> list[Point]:
    """All points when they are few; else the lowest and the highest of every stretch of steps."""
    if len(points) <= most:
        return points
    stretches = max(1, most // 2)
    start = points[0][0]
    width = (points[-1][0] - start + 1) / stretches
    lowest: dict[int, Any] = {}
    highest: dict[int, Any] = {}
    for point in points:
        value = point[1]
        if value is None:
            continue
        stretch = int((point[0] - start) / width)
        if stretch not in lowest or value < lowest[stretch][1]:
            lowest[stretch] = point
        if stretch not in highest or value > highest[stretch][1]:
            highest[stretch] = point
    ends = ((lowest[stretch], highest[stretch]) for stretch in lowest)
    return [point for low, high in ends for point in ([low] if low == high else sorted((low, high)))]
