"""What a job will take, beside its form: the kind's own reckoning, and whether a machine has room for it now."""

from dataclasses import replace
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext

from apps.core.access import Actor
from apps.core.errors import AifsError
from apps.core.models import Project
from apps.core.paramforms import ParamsForm
from apps.gpucloud import costs, selectors
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Job
from apps.gpucloud.services.inputs import check_params, resolve_inputs
from workers.estimates import Estimate
from workers.kinds import Kind, Resources, kinds

UNNAMED = "-"


def beside(actor: Actor, project: Project, form: ParamsForm, cpus: str = "") -> dict[str, Any]:
    """Context of `gpucloud/_estimate_beside.html` for a form as it stands: {"estimate_url"} with {"estimate", "fit",
    "cost"} or with {"missing"}, what keeps it from being made; {} for kinds that have none. cpus: if the page asks."""
    if form.kind.name not in handler_for(form.kind.name).estimated:
        return {}
    needs = form.kind.resources
    if cpus.isdecimal() and len(cpus) < 5:
        needs = replace(needs, cpus=max(1, int(cpus)))
    address = {"estimate_url": reverse("gpucloud:job_estimate", args=[project.slug, form.kind.name])}
    return {**address, **told(actor, project, form.kind, _values(form), needs)}


def told(actor: Actor, project: Project, kind: Kind, values: dict[str, Any], needs: Resources) -> dict[str, Any]:
    """Context of `gpucloud/_estimate.html` for these parameters."""
    made = _make(actor, project, kind, values, needs) if values else None
    if made is None:
        return {"missing": gettext("Choose what it works on to see what it will take.")}
    room = fit(made, needs) if made.memory_mib else None
    return {"estimate": made, "fit": room, "cost": cost(made, needs)}


def _values(form: ParamsForm) -> dict[str, Any]:
    """What stands in the form; nothing where it is wrong. A name that is still to be found is no reason to wait."""
    if not form.is_bound:
        values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    else:
        values = form.params(all=True) if form.is_valid() or set(form.errors) <= {"name"} else {}
    known = {name: value for name, value in values.items() if value not in (None, "")}
    if known and "name" in form.kind.params.model_fields:
        known.setdefault("name", UNNAMED)
    return known


def of_job(actor: Actor, job: Job) -> Estimate | None:
    """What was expected of a job, by the same reckoning as before it started; None where its plug-in or an input is
    gone."""
    if job.kind not in kinds:
        return None
    return _make(actor, job.project, kinds.get(job.kind), job.params, Resources(**job.resources))


def _make(actor: Actor, project: Project, kind: Kind, values: dict[str, Any], needs: Resources) -> Estimate | None:
    """None where something is missing or wrong."""
    try:
        params = check_params(kind, values)
        _stored, inputs = resolve_inputs(actor, project, kind, params)
        return handler_for(kind.name).estimate(kind, params, inputs, needs)
    except AifsError:
        return None


def cost(made: Estimate, needs: Resources) -> costs.Cost | None:
    """None of what has no end of its own."""
    return None if made.seconds is None else costs.expected(needs, made.seconds)


def fit(made: Estimate, needs: Resources) -> dict[str, Any]:
    """{"fits", "text"}: whether a node has so much memory free now."""
    free = selectors.memory_free(needs.accelerators)
    if not free:
        return {"fits": False, "text": gettext("No node is ready.")}
    name, most = max(free.items(), key=lambda pair: pair[1])
    if (made.memory_mib or 0) <= most:
        return {"fits": True, "text": gettext("Fits on %(node)s now.") % {"node": name}}
    text = gettext("No node has so much free now; %(node)s has %(free)s MiB.")
    return {"fits": False, "text": text % {"node": name, "free": max(0, most)}}
