"""Runs set beside each other: what they were told, and how far they came."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from apps.core.access import Actor
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.gpucloud import selectors, shown
from apps.gpucloud.details import param_label, title_of
from apps.gpucloud.models import Job

MOST = 8


@dataclass(frozen=True)
class Row:
    """One parameter or figure of all runs. differs: not all have the same."""

    label: str
    values: list[Any]

    @property
    def differs(self) -> bool:
        return any(value != self.values[0] for value in self.values)


def get_runs(actor: Actor, project: Project, ids: Iterable[str]) -> list[Job]:
    """The named jobs in the order asked for, each once. Raises InvalidInput for more than eight, NotFound for one that
    is not there."""
    wanted = list(dict.fromkeys(id for id in ids if id))
    if len(wanted) > MOST:
        raise InvalidInput(
            gettext("At most %(most)d runs can be compared at once.") % {"most": MOST}, code="too_many_runs"
        )
    return [selectors.get_job(actor, id, project) for id in wanted]


def names_of(runs: list[Job]) -> list[str]:
    """What stands over the columns and in the legends: a name that several have gets the end of the id."""
    names = [title_of(run) for run in runs]
    return [
        f"{name} · {str(run.pk)[-4:]}" if names.count(name) > 1 else name for name, run in zip(names, runs, strict=True)
    ]


def settings_of(runs: list[Job]) -> list[Row]:
    """Kind, parameters, seed and cores; those that differ first. An artefact is told by its name."""
    read = [{row.name: row.artefact.name for row in run.inputs.select_related("artefact")} for run in runs]
    rows = [Row(gettext("Kind"), [shown.kind_label(run.kind) for run in runs])]
    rows += [
        Row(
            _label(runs, name),
            [made.get(name) or _text(run.params.get(name)) for run, made in zip(runs, read, strict=True)],
        )
        for name in dict.fromkeys(name for run in runs for name in run.params)
    ]
    rows.append(Row(gettext("Seed"), [str(run.seed) for run in runs]))
    rows.append(Row(gettext("Cores"), [str(run.resources.get("cpus", "")) for run in runs]))
    return sorted(rows, key=lambda row: not row.differs)


def _label(runs: list[Job], name: str) -> str:
    """The parameter's label in the first kind that has one for it."""
    return next((label for run in runs if (label := param_label(run.kind, name)) != name), name)


def _text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "—"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return str(value)


def figures_of(runs: list[Job]) -> list[Row]:
    """Last value of every chart, then numbers of the result, then the time it took."""
    named = dict.fromkeys(name for run in runs for name in run.metrics)
    rows = [Row(shown.series_name(name), [run.metrics.get(name) for run in runs]) for name in named]
    numbers = dict.fromkeys(
        name
        for run in runs
        for name, value in run.result.items()
        if isinstance(value, int | float) and name not in named
    )
    rows += [Row(shown.series_name(name), [_number(run.result.get(name)) for run in runs]) for name in numbers]
    return rows


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def answers_of(runs: list[Job]) -> list[Row]:
    """What each run answered last to every question that one of them was asked along the way; empty if it was not."""
    last: list[dict[str, str]] = []
    for run in runs:
        steps = selectors.list_samples(run)
        last.append({row["question"]: row["answer"] for row in steps[-1]["answers"]} if steps else {})
    asked = dict.fromkeys(question for answers in last for question in answers)
    return [Row(question, [answers.get(question, "") for answers in last]) for question in asked]


def charts_of(runs: list[Job]) -> list[str]:
    """Series to draw: what most runs have, the loss first. What the machine alone decides comes last."""
    order = {"loss": 0, "eval_loss": 1, "accuracy": 2}
    found = dict.fromkeys(name for run in runs for name in run.metrics)
    return sorted(found, key=lambda name: (order.get(name, 3), name))
