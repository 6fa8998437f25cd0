"""Kind `datasets.clean`: a recipe of steps makes the next version of a dataset.

What is dropped goes to `dropped.parquet` with step and reason: rows_in = rows + dropped.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from workers.datasets.base import as_json
from workers.datasets.recipes import Recipe, Run, checked_recipe, default_recipe
from workers.datasets.statistics import Statistics
from workers.datasets.storing import Table, dropped_schema, quarantine_schema, read_rows, write_report
from workers.errors import InvalidInput
from workers.kinds import Resources, register
from workers.params import Params as Base
from workers.params import artefact, param
from workers.words import marked as _

if TYPE_CHECKING:
    from workers.io import RunIO

PROGRESS_ROWS = 500


class Params(Base):
    dataset: str = artefact("dataset_version", label=_("Dataset"))
    name: str = param(
        "",
        label=_("Name of the result"),
        help=_("Left empty, it becomes the next version."),
        simple=True,
        max_length=120,
    )
    steps: Recipe = Field(
        default_factory=default_recipe,
        title=_("Steps"),
        description=_("In order: the name of a step and its options."),
        json_schema_extra={"unit": "", "group": "", "simple": False, "recipe": True},
        max_length=50,
    )

    @field_validator("steps")
    @classmethod
    def _checked(cls, recipe: Recipe) -> Recipe:
        if not recipe:
            raise ValueError(_("A recipe needs at least one step."))
        return checked_recipe(recipe)


@register("datasets.clean", label=_("Clean a dataset"), resources=Resources(cpus=1, memory_mib=4096))
def run(params: Params, io: "RunIO") -> dict[str, Any]:
    """Run a recipe over a dataset version into a new one, keeping what is dropped with the reason. Deterministic."""
    source = io.input("dataset") / "data.parquet"
    form = str(io.meta("dataset").get("format") or "table")
    out = io.output("dataset")
    recipe = Run(params.steps, form)
    before, after = Statistics(form), Statistics(form)
    rows, dropped = clean(source, out, recipe, before, after, io)
    if io.should_stop:
        return {}
    if not rows:
        raise InvalidInput(
            _("The recipe drops all %(dropped)d rows."),
            hint=_("Loosen the step that drops most: %(step)s."),
            dropped=dropped,
            step=max(recipe.tallies, key=lambda tally: tally.dropped.total()).step,
        )
    figures = {"rows_in": rows + dropped, "rows": rows, "quarantined": 0, "dropped": dropped}
    report = {
        "made_by": "datasets.clean",
        **figures,
        "steps": [tally.as_dict() for tally in recipe.tallies],
        "reasons": {},
        "statistics": after.as_dict(),
        "statistics_before": before.as_dict(),
    }
    write_report(out, report)
    meta = {"format": form, "source_format": io.meta("dataset").get("source_format", ""), **figures}
    columns = io.meta("dataset").get("columns") or []
    io.artefact("dataset", "dataset_version", out, **meta, columns=columns, report=report)
    return {"format": form, **figures, "steps": {tally.step: tally.dropped.total() for tally in recipe.tallies}}


def clean(source: Path, out: Path, recipe: Run, before: Statistics, after: Statistics, io: "RunIO") -> tuple[int, int]:
    """Stream the rows through the recipe. Returns rows kept and dropped."""
    from pyarrow import parquet

    with parquet.ParquetFile(source) as file:
        total, schema = file.metadata.num_rows, file.schema_arrow
    kept, gone = Table(out / "data.parquet", schema), Table(out / "dropped.parquet", dropped_schema())
    Table(out / "quarantine.parquet", quarantine_schema()).close()
    for result in recipe.over(read_rows(source)):
        before.add(result.before)
        if result.row is not None:
            kept.add(result.number, result.row)
            after.add(result.row)
        elif result.drop is not None:
            why = {"step": result.step, "reason": result.drop.reason, "detail": result.drop.detail}
            gone.add(result.number, {"row": result.number, **why, "data": as_json(result.before)})
        for table in (kept, gone):
            if table.full:
                table.flush()
        if result.number % PROGRESS_ROWS == 0:
            io.progress(result.number, total, _("Cleaning"), "rows")
            if io.should_stop:
                break
    for table in (kept, gone):
        table.flush()
        table.close()
    io.progress(total, total, _("Cleaning"), "rows")
    return kept.rows, gone.rows
