"""Two runs' charts, point by point."""

from dataclasses import dataclass
from typing import Any

from workers.differences import Difference, apart, is_measured
from workers.words import marked as _

Series = dict[str, dict[str, list[Any]]]


@dataclass(frozen=True)
class Compared:
    """series: [{"name", "points", "largest", "largest_step", "first_step"}] of what was compared. first: the first step
    at which any series differs at all; beyond: the first at which one differs by more than the tolerance."""

    series: list[dict[str, Any]]
    first: Difference | None
    beyond: Difference | None


def compare_series(original: Series, repeated: Series, tolerance: float) -> Compared:
    """original, repeated: {name: {"steps", "values"}}, NaN as None. What the machine alone decides is left out."""
    names = sorted(name for name in {*original, *repeated} if not is_measured(name))
    rows, first, beyond = [], [], []
    for name in names:
        row, differences = _compare(name, points(original.get(name)), points(repeated.get(name)), tolerance)
        rows.append(row)
        first += differences[:1]
        beyond += [difference for difference in differences if not difference.within][:1]
    return Compared(rows, _earliest(first), _earliest(beyond))


def points(series: dict[str, list[Any]] | None) -> dict[int, float]:
    """step → value; a step that was measured twice has its last value."""
    if series is None:
        return {}
    values = (float("nan") if value is None else float(value) for value in series["values"])
    return dict(zip(series["steps"], values, strict=True))


def _compare(
    name: str, original: dict[int, float], repeated: dict[int, float], tolerance: float
) -> tuple[dict[str, Any], list[Difference]]:
    found: list[Difference] = []
    largest, largest_step = 0.0, None
    for step in sorted({*original, *repeated}):
        if step not in original or step not in repeated:
            found.append(_missing(name, step, in_original=step in original))
            continue
        gap = apart(original[step], repeated[step])
        if gap > largest:
            largest, largest_step = gap, step
        if gap:
            found.append(_changed(name, step, original[step], repeated[step], gap <= tolerance))
    row = {"name": name, "points": len(original), "largest": largest if largest != float("inf") else None}
    return {**row, "largest_step": largest_step, "first_step": found[0].data["step"] if found else None}, found


def _changed(name: str, step: int, original: float, repeated: float, within: bool) -> Difference:
    data = {"series": name, "step": step, "original": repr(original), "repeated": repr(repeated)}
    return Difference("metric", _("%(series)s at step %(step)s: %(original)s became %(repeated)s."), data, within)


def _missing(name: str, step: int, *, in_original: bool) -> Difference:
    text = (
        _("%(series)s has no point at step %(step)s in the reproduction.")
        if in_original
        else _("%(series)s has a point at step %(step)s only in the reproduction.")
    )
    return Difference("metric", text, {"series": name, "step": step})


def _earliest(differences: list[Difference]) -> Difference | None:
    """What is computed first is named first: the loss of a step before its gradient."""
    order = {"loss": 0, "eval_loss": 1}
    return min(differences, key=lambda each: (each.data["step"], order.get(each.data["series"], 2)), default=None)
