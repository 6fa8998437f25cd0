"""A recipe tried on a sample of rows: counts falling step by step, and rows before and after.

The web calls `trial` in a killable child, since texts and options come from users.
"""

from itertools import islice
from pathlib import Path
from typing import Any

from workers.datasets.recipes import Run, checked_recipe
from workers.datasets.storing import read_rows
from workers.datasets.texts import shown
from workers.errors import InvalidInput
from workers.words import marked as _

SAMPLE_ROWS = 300
ROWS_SHOWN = 20
UNTOUCHED_SHOWN = 3


def trial(payload: dict[str, Any]) -> dict[str, Any]:
    """payload: {"path" of a data.parquet, "form", "steps"}.

    Returns {"rows_in", "rows", "steps": [tally], "rows_shown": [{"row", "before", "after" or "step", "reason",
    "detail"}]}; changed and dropped rows are shown, untouched ones only where those are few. Raises InvalidInput for
    a wrong option.
    """
    try:
        run = Run(checked_recipe(payload["steps"]), payload["form"])
    except ValueError as error:
        raise InvalidInput(_("Step %(problem)s"), code="wrong_recipe", problem=str(error)) from None
    results = list(run.over(islice(read_rows(Path(payload["path"])), SAMPLE_ROWS)))
    untouched = [result for result in results if result.row is result.before]
    touched = [result for result in results if result.row is not result.before]
    ordered = touched[:ROWS_SHOWN] + untouched[: max(0, UNTOUCHED_SHOWN - len(touched))]
    rows = []
    for result in ordered:
        about: dict[str, Any] = {"row": result.number, "before": shown(result.before, run.form)}
        if result.row is not None:
            rows.append({**about, "after": shown(result.row, run.form), "changed": result.row is not result.before})
        elif result.drop is not None:
            rows.append({**about, "step": result.step, "reason": result.drop.reason, "detail": result.drop.detail})
    return {
        "rows_in": len(results),
        "rows": sum(result.row is not None for result in results),
        "steps": [{**tally.as_dict(), "samples": []} for tally in run.tallies],
        "rows_shown": rows,
    }
