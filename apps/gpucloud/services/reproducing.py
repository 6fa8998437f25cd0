"""Running a job again on what it ran on, and saying whether the same came out.

What is found is stored in `Job.match` of the reproduction, in the transaction in which it succeeds:

    verdict      bit_equal, within_noise, diverged, or unknown
    message      a marked text, with data
    where        the first difference: {"what", "output", "message", "data"}, None when there is none
    tolerance    {"numbers", "weights", "message"}: what counts as noise, and why
    series       every chart that was compared, with its largest difference
    outputs      every output: {"name", "original", "reproduction"} hashes of all its files
    environment  what the two ran on that is not the same: [{"name", "original", "reproduction"}]
"""

import logging
from typing import Any

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict
from apps.core.models import Upload
from apps.core.storage import storage
from apps.gpucloud import selectors
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Attempt, AttemptState, Job, JobState
from apps.gpucloud.services.jobs import clone_job, get_kind, require_right
from workers.differences import Difference
from workers.differences.files import compare_trees
from workers.differences.series import Compared, compare_series
from workers.differences.values import differing
from workers.kinds import Kind
from workers.params import artefact_fields, upload_fields

log = logging.getLogger(__name__)

BIT_EQUAL, WITHIN_NOISE, DIVERGED, UNKNOWN = "bit_equal", "within_noise", "diverged", "unknown"
SINGLE, HALF = {"numbers": 1e-3, "weights": 2e-2}, {"numbers": 2e-2, "weights": 1e-1}
"""Largest relative difference that is noise, in 32-bit and in 16-bit arithmetic. docs/how-to/reproduce-a-run.md says
what was measured."""
WHY_SINGLE = _(
    "32-bit sums taken in another order (threads, device, library) round differently, and training lets that grow; "
    "another seed or other data changes a loss by far more."
)
WHY_HALF = _("16-bit numbers carry two to three digits, and every sum rounds to them.")
HALF_TYPES = {"bfloat16", "float16"}


def reproduce_job(actor: Actor, job: Job) -> Job:
    """A new job with the recorded parameters and seed on the recorded inputs, which never change. What it makes stands
    under a name of its own, so that nobody's newest version changes.

    Raises NotAllowed, or Conflict when there is nothing to repeat or an input is gone.
    """
    kind = get_kind(job.kind)
    require_right(actor, kind, job.project)
    if kind.service:
        raise Conflict(
            _("Serving does not end with a result, so there is nothing to compare."),
            hint=_("Reproduce the run that made the model, or the evaluation of it."),
            code="not_reproducible",
        )
    if job.state != JobState.SUCCEEDED:
        raise Conflict(_("Only a job that has succeeded can be reproduced."), code="not_reproducible", state=job.state)
    _check_inputs(job, kind)
    params = handler_for(job.kind).reproduction_params(job)
    return clone_job(actor, job, params=params, reproduces=job)


def _check_inputs(job: Job, kind: Kind) -> None:
    """Raises Conflict naming the input that cannot be had any more: its record or one of its files is gone."""
    recorded = {row.name: row.artefact for row in job.inputs.select_related("artefact")}
    for name in artefact_fields(kind.params):
        if job.params.get(name):
            artefact = recorded.get(name)
            if artefact is None or not all(storage().has(entry["sha256"]) for entry in artefact.manifest.values()):
                raise _gone(name)
    for name in upload_fields(kind.params):
        if job.params.get(name):
            upload = Upload.objects.filter(pk=job.params[name], project=job.project).first()
            if upload is None or not upload.sha256 or not storage().has(upload.sha256):
                raise _gone(name)


def _gone(name: str) -> Conflict:
    return Conflict(
        _("The input “%(input)s” of this job is gone, so it cannot be run on what it ran on."),
        hint=_("Clone the job and choose another input."),
        code="input_gone",
        input=name,
    )


# --- the verdict


def judge_attempt(attempt: Attempt) -> dict[str, Any]:
    """What came of a reproduction whose outputs are in storage; {} for a job that reproduces nothing. Reads both runs'
    charts, and those files whose hashes differ. Never raises for what it finds: a comparison that cannot be made is a
    verdict of its own."""
    job = attempt.job
    if job.reproduces_id is None:
        return {}
    try:
        original = Attempt.objects.filter(job_id=job.reproduces_id, state=AttemptState.SUCCEEDED).latest("number")
        return compare_attempts(original, attempt)
    except Attempt.DoesNotExist:
        return _unknown(_("The original is gone."))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # the run itself is good, whatever stops the comparison
        log.exception("attempt %s could not be compared", attempt.pk)
        return _unknown(
            _("The two runs could not be compared: %(error)s"), error=f"{type(error).__name__}: {error}"[:500]
        )


def _unknown(message: str, **data: Any) -> dict[str, Any]:
    return {"verdict": UNKNOWN, "message": message, "data": data}


def compare_attempts(original: Attempt, repeated: Attempt) -> dict[str, Any]:
    """The verdict on two finished attempts at the same work, as the head of this file describes it."""
    half = _is_half(original) or _is_half(repeated)
    tolerance = HALF if half else SINGLE
    charts = compare_series(
        selectors.read_metrics(original.job), selectors.read_metrics(repeated.job), tolerance["numbers"]
    )
    places = [
        *_in_charts(charts),
        *_in_results(original, repeated, tolerance),
        *_in_outputs(original, repeated, tolerance),
    ]
    beyond = [place for place in places if not place["within"]]
    where = next(iter(beyond or places), None)
    found: dict[str, Any] = {
        "where": where,
        "tolerance": {**tolerance, "message": WHY_HALF if half else WHY_SINGLE},
        "series": charts.series,
        "outputs": [
            {"name": name, "original": hash_of(original, name), "reproduction": hash_of(repeated, name)}
            for name in sorted({*original.outputs, *repeated.outputs})
        ],
        "environment": environment_changes(original, repeated),
    }
    if not places:
        text = _("All files, results and computed values are equal to the last bit.")
        return {"verdict": BIT_EQUAL, "message": text, "data": {}, **found}
    if not beyond:
        text = _("Nothing differs by more than rounding explains (%(share)s of a number).")
        return {"verdict": WITHIN_NOISE, "message": text, "data": {"share": f"{tolerance['numbers']:g}"}, **found}
    return {"verdict": DIVERGED, "message": _("Something else came out."), "data": {}, **found}


def _is_half(attempt: Attempt) -> bool:
    """True for runs that compute in 16 bits: by choice, or on accelerators when nothing is said."""
    dtype = attempt.job.params.get("dtype")
    return dtype in HALF_TYPES or (dtype == "auto" and bool(attempt.job.resources.get("accelerators")))


def hash_of(attempt: Attempt, name: str) -> str:
    return str((attempt.outputs.get(name) or {}).get("sha256") or "")


def _in_charts(charts: Compared) -> list[dict[str, Any]]:
    difference = charts.beyond or charts.first
    return [_place(difference)] if difference else []


def _in_results(original: Attempt, repeated: Attempt, tolerance: dict[str, float]) -> list[dict[str, Any]]:
    text = _("Result %(place)s: %(original)s became %(repeated)s.")
    return [
        _place(Difference("result", text, {"place": place, "original": one, "repeated": other}, within))
        for place, one, other, within in differing(original.result, repeated.result, tolerance["numbers"])
    ]


def _in_outputs(original: Attempt, repeated: Attempt, tolerance: dict[str, float]) -> list[dict[str, Any]]:
    places = []
    for name in sorted({*original.outputs, *repeated.outputs}):
        one, other = ((attempt.outputs.get(name) or {}).get("manifest") or {} for attempt in (original, repeated))
        found = compare_trees(one, other, storage().open, tolerance["numbers"], tolerance["weights"])
        places += [_place(difference, name) for difference in found]
    return places


def _place(difference: Difference, output: str = "") -> dict[str, Any]:
    return {
        "what": difference.what,
        "output": output,
        "message": difference.message,
        "data": difference.data,
        "within": difference.within,
    }


def environment_changes(original: Attempt, repeated: Attempt) -> list[dict[str, Any]]:
    """What the two attempts ran on that is not the same, node and libraries included."""
    one, other = _facts(original), _facts(repeated)
    return [
        {"name": name, "original": one.get(name, ""), "reproduction": other.get(name, "")}
        for name in dict.fromkeys([*one, *other])
        if one.get(name, "") != other.get(name, "")
    ]


def _facts(attempt: Attempt) -> dict[str, str]:
    recorded = attempt.environment or {}
    facts = {"node": attempt.node.name, "devices": ", ".join(recorded.get("devices") or [])}
    facts |= {name: str(recorded.get(name, "")) for name in ("processor", "threads", "python")}
    return facts | {name: str(version) for name, version in (recorded.get("libraries") or {}).items()}
