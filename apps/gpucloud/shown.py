"""A job in the reader's words: marked texts translated, data filled in. Used by API, WebSocket and pages alike."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core.errors import NotFound, translate
from apps.gpucloud.models import Job, JobEvent, JobState
from workers.kinds import kinds


def kind_label(kind: str) -> str:
    """The kind's name in words; its code when the plug-in is gone."""
    try:
        return gettext(kinds.get(kind).label)
    except NotFound:
        return kind


def title_of(job: Job) -> str:
    """Its name, or that of what it makes; the name of its kind when it has none, or one that says no more than that."""
    return kind_label(job.kind) if str(job) == job.kind else str(job)


def marked_title(job: Job) -> str:
    """The same, still to be translated: for texts that are kept."""
    named = str(job) != job.kind or job.kind not in kinds
    return str(job) if named else kinds.get(job.kind).label


SERIES = {
    "loss": _("Loss"),
    "eval_loss": _("Held-out loss"),
    "loss_before": _("Held-out loss before"),
    "loss_after": _("Held-out loss after"),
    "learning_rate": _("Learning rate"),
    "grad_norm": _("Gradient norm"),
    "epoch": _("Epoch"),
    "tokens_per_s": _("Tokens per second"),
    "memory_mib": _("Memory (MiB)"),
    "accuracy": _("Accuracy"),
    "running": _("Running requests"),
    "waiting": _("Waiting requests"),
    "requests": _("Requests so far"),
    "cache_use": _("Cache in use (share)"),
    "check": _("Check value"),
    "steps": _("Steps"),
    "tokens": _("Tokens"),
    "seconds": _("Seconds"),
}
"""Words for the series that runs emit; frontend/charts/series.ts has the same."""


def series_name(name: str) -> str:
    """A series in words; under its own name when it is a plug-in's own."""
    return gettext(SERIES[name]) if name in SERIES else name.replace("_", " ")


def reason(stored: dict[str, Any]) -> dict[str, Any]:
    """{"code", "message", "hint", "data"} with the texts translated; {} when there is none."""
    if not stored:
        return {}
    data = stored.get("data") or {}
    return {
        "code": stored.get("code", ""),
        "message": translate(stored.get("message", ""), data),
        "hint": translate(stored.get("hint", ""), data),
        "data": data,
    }


def reason_text(stored: dict[str, Any]) -> str:
    return str(reason(stored).get("message", ""))


VERDICTS = {
    "bit_equal": _("Equal to the last bit"),
    "within_noise": _("Equal within rounding"),
    "diverged": _("Came out differently"),
    "unknown": _("Not compared"),
}


def match(job: Job) -> dict[str, Any] | None:
    """What came of a reproduction; None for other jobs and while it runs. Every place says in words where it is."""
    if job.reproduces_id is None or job.state not in Job.ENDED:
        return None
    found = job.match or {"verdict": "unknown", "message": _("The reproduction did not succeed."), "data": {}}
    shown = {
        "verdict": found["verdict"],
        "label": gettext(VERDICTS[found["verdict"]]),
        "message": translate(found["message"], found["data"]),
    }
    if found["verdict"] == "unknown":
        return shown
    tolerance = found["tolerance"]
    return {
        **shown,
        "where": _where(found["where"]) if found["where"] else None,
        "tolerance": {**tolerance, "message": translate(tolerance["message"])},
        **{name: found[name] for name in ("series", "outputs", "environment")},
    }


def _where(place: dict[str, Any]) -> dict[str, Any]:
    return {**place, "message": translate(place["message"], place["data"])}


def progress(stored: dict[str, Any]) -> dict[str, Any]:
    if not stored:
        return {}
    data = stored.get("data") or {}
    return {
        "done": stored.get("done"),
        "total": stored.get("total"),
        "unit": translate(stored.get("unit") or ""),
        "message": translate(stored.get("message") or "", data),
        "eta_s": stored.get("eta_s"),
    }


def bar(stored: dict[str, Any]) -> dict[str, Any]:
    """What `ui/progress.html` draws, also when nothing has been said yet."""
    return {"done": 0, "total": 0, "message": "", "eta_s": None} | progress(stored) | {"data": {}}


def duration_s(job: Job) -> float | None:
    if job.started_at is None:
        return None
    end: datetime = job.ended_at if job.state in Job.ENDED and job.ended_at else timezone.now()
    return round((end - job.started_at).total_seconds(), 3)


def live(job: Job) -> dict[str, Any]:
    """What changes while a job runs."""
    return {
        "id": str(job.pk),
        "state": job.state,
        "state_label": str(JobState(job.state).label),
        "reason": reason(job.reason),
        "reason_text": reason_text(job.reason),
        "progress": progress(job.progress),
        "eta_s": job.progress.get("eta_s") if job.progress else None,
        "metrics": job.metrics,
        "attempt": job.attempt_count,
        "outputs": job.outputs,
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "ended_at": job.ended_at.isoformat() if job.ended_at else None,
        "duration_s": duration_s(job),
    }


def event(row: JobEvent) -> dict[str, Any]:
    """An event as it goes to a client: {"seq", "type", "t", …}."""
    data = dict(row.data)
    if row.type == "state":
        data |= {"reason_text": reason_text(data.get("reason") or {}), "reason": reason(data.get("reason") or {})}
    elif row.type == "progress":
        data = progress(data)
    elif row.type == "error":
        data = reason(data)
    return {**data, "seq": row.seq, "type": row.type, "t": row.at.timestamp()}


def line(row: dict[str, Any]) -> dict[str, Any]:
    """A line of the log. Output of the run is shown as it came; only AIFS's own texts are translated."""
    message = row["message"] if row["level"] == "output" else translate(row["message"], row.get("data"))
    return {"line": row["line"], "t": row["t"], "level": row["level"], "message": message, "text": message}
