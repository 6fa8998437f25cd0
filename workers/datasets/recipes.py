"""Recipes: an ordered list of cleaning steps with their options, run over rows one by one, counting what each did."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from workers.datasets.base import Drop, Row, Step, Verdict, steps
from workers.datasets.texts import shown
from workers.errors import NotFound
from workers.words import marked as _

SAMPLES = 3
"""Changed rows, and dropped rows, that the report shows for each step."""
Recipe = list[dict[str, Any]]


def default_recipe() -> Recipe:
    """The steps that do no harm to any data, in order, with their defaults."""
    ordered = sorted(steps.items(), key=lambda item: item[1].order)
    return [{"step": name, **step.params().model_dump()} for name, step in ordered if step.default]


def checked_recipe(recipe: Recipe) -> Recipe:
    """The recipe with every default filled in. Raises ValueError that names the step and the option at fault."""
    return [checked_step(number, options) for number, options in enumerate(recipe, 1)]


def checked_step(number: int, options: dict[str, Any]) -> dict[str, Any]:
    name = str(options.get("step", ""))
    try:
        step = steps.get(name)
        rest = {key: value for key, value in options.items() if key != "step"}
        return {"step": name, **step.params.model_validate(rest).model_dump()}
    except NotFound as error:
        raise ValueError(f"{number}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{number}, {name}{', ' + place if place else ''}: {first['msg']}") from None


@dataclass
class Tally:
    """What one step did. dropped: reason → rows; samples: rows for people, before and after."""

    step: str
    options: dict[str, Any]
    rows_in: int = 0
    kept: int = 0
    changed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, Any]] = field(default_factory=list)

    def sample(self, number: int, form: str, before: Row, after: Row | Drop) -> None:
        gone = isinstance(after, Drop)
        if sum(("reason" in one) == gone for one in self.samples) >= SAMPLES:
            return
        about: dict[str, Any] = {"row": number, "before": shown(before, form, 300)}
        if isinstance(after, Drop):
            self.samples.append({**about, "reason": after.reason, "detail": after.detail})
        else:
            self.samples.append({**about, "after": shown(after, form, 300)})

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "dropped": dict(self.dropped)}


@dataclass(frozen=True)
class Result:
    """What became of one row: kept (`row` set) or dropped by a step."""

    number: int
    before: Row
    row: Row | None
    step: str = ""
    drop: Drop | None = None


class Run:
    """One pass of a recipe over rows of a form."""

    def __init__(self, recipe: Recipe, form: str) -> None:
        self.form = form
        self.tallies: list[Tally] = []
        self._verdicts: list[Verdict] = []
        for options in checked_recipe(recipe):
            name = options.pop("step")
            step: Step = steps.get(name)
            self.tallies.append(Tally(name, options))
            self._verdicts.append(step.build(step.params.model_validate(options), form))

    def over(self, rows: Iterable[Row]) -> Iterator[Result]:
        """Every row in order, with its number from 1."""
        for number, row in enumerate(rows, 1):
            yield self._one(number, row)

    def _one(self, number: int, before: Row) -> Result:
        row = before
        for tally, verdict in zip(self.tallies, self._verdicts, strict=True):
            tally.rows_in += 1
            after = verdict(number, row)
            if isinstance(after, Drop):
                tally.dropped[after.reason] += 1
                tally.sample(number, self.form, row, after)
                return Result(number, before, None, tally.step, after)
            tally.kept += 1
            if after is not row:
                tally.changed += 1
                tally.sample(number, self.form, row, after)
                row = after
        return Result(number, before, row)


def reason_label(step: str, reason: str) -> str:
    """The marked text of why a step dropped a row."""
    return steps.get(step).reasons.get(reason, _("Dropped"))
