"""A progress bar of a running job on standard error, fed by its events."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from aifs.sdk.jobs import Job

SHOWN = ("loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_s")
"""Series worth a place beside the bar, in this order."""


def show(job: Job, timeout_s: float | None = None) -> None:
    """Draw until the job has ended."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[kind]}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    values: dict[str, float] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(job.state, total=None, kind=job["kind"])

        def told(event: dict[str, Any]) -> None:
            if event["type"] == "job":
                progress = event["progress"] or {}
                words = _values(values) or progress.get("message") or event["reason_text"] or event["state_label"]
                done, total = progress.get("done") or 0, progress.get("total") or None
                bar.update(task, total=total, completed=done, description=words)
            elif event["type"] == "metric":
                values.update({name: value for name, value in event["values"].items() if value is not None})

        job._watch(told, timeout_s)


def _values(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {values[name]:.4g}" for name in SHOWN if name in values)
