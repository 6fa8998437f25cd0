"""From what a caller wrote to what a run gets: checked parameters, artefacts of the project, uploaded files."""

import re
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop as _
from pydantic import TypeAdapter, ValidationError

from apps.core import artefact_types
from apps.core.access import Actor
from apps.core.errors import AifsError, Conflict, InvalidInput, translate
from apps.core.models import Artefact, Project, Upload
from apps.core.selectors import find_artefact, get_upload, in_reach
from apps.core.validation import field_errors, finding
from apps.gpucloud.models import Job
from workers.kinds import Kind, Resources
from workers.params import Params, artefact_fields, upload_fields
from workers.spec import Input

RESOURCE_LIMITS = {
    "cpus": (1, 4096),
    "memory_mib": (0, 1 << 26),
    "accelerators": (0, 1024),
    "timeout_s": (0, 1 << 30),
    "disk_mib": (0, 1 << 30),
}
_resources = TypeAdapter(Resources)


def check_params(kind: Kind, params: dict[str, Any]) -> Params:
    """Raises InvalidInput; `data.errors` names every wrong field."""
    try:
        return kind.params.model_validate(params)
    except ValidationError as error:
        raise wrong_fields(field_errors(error)) from None


def wrong_fields(errors: list[dict[str, Any]]) -> InvalidInput:
    first = errors[0]
    return InvalidInput(
        _("%(field)s: %(problem)s"),
        field=first["field"],
        problem=first["message"],
        errors=errors,
        code="invalid_params",
    )


def check_resources(wanted: dict[str, Any]) -> Resources:
    """Raises InvalidInput for names, types and sizes that no node could mean."""
    unknown = sorted(set(wanted) - set(Resources.__dataclass_fields__))
    if unknown:
        raise wrong_fields([finding(f"resources.{name}", "extra_forbidden") for name in unknown])
    try:
        resources = _resources.validate_python(wanted)
    except ValidationError as error:
        raise wrong_fields([{**row, "field": f"resources.{row['field']}"} for row in field_errors(error)]) from None
    for name, (low, high) in RESOURCE_LIMITS.items():
        if not low <= getattr(resources, name) <= high:
            raise wrong_fields([finding(f"resources.{name}", "range", ge=low, le=high)])
    return resources


def resolve_inputs(
    actor: Actor, project: Project, kind: Kind, params: Params
) -> tuple[dict[str, Any], dict[str, Artefact]]:
    """Parameters as stored (references replaced by ids) and the artefacts they point at, by field."""
    stored = params.model_dump(mode="json")
    found: dict[str, Artefact] = {}
    for name, type in artefact_fields(kind.params).items():
        if _is_given(kind, name, stored):
            found[name] = _for_field(name, lambda type=type, name=name: find_artefact(project, type, stored[name]))
            stored[name] = str(found[name].pk)
    for name in upload_fields(kind.params):
        if _is_given(kind, name, stored):
            stored[name] = str(_for_field(name, lambda name=name: get_upload(actor, project, stored[name])).pk)
    return stored, found


def _is_given(kind: Kind, name: str, stored: dict[str, Any]) -> bool:
    """Raises InvalidInput for what is needed and empty: to the types it is a text like any other."""
    if not stored.get(name) and kind.params.model_fields[name].is_required():
        raise wrong_fields([finding(name, "missing")])
    return bool(stored.get(name))


def _for_field(name: str, look_up: Any) -> Any:
    """What is not found is an error of the field that named it."""
    try:
        return look_up()
    except AifsError as error:
        said = translate(error.message, error.data)
        raise InvalidInput(
            error.message,
            hint=error.hint,
            code="invalid_params",
            **error.data | {"errors": [{"field": name, "message": said, "type": error.code, "data": {}}]},
        ) from None


def check_reach(job: Job) -> None:
    """Before an attempt starts. Raises Conflict for an input of another project that was taken back meanwhile."""
    inputs = Artefact.objects.filter(used_by__job=job)
    lost = inputs.exclude(pk__in=Artefact.objects.filter(in_reach(job.project)).values("pk")).first()
    if lost:
        raise Conflict(
            _("“%(name)s” is not shared with this project any more."),
            hint=_("Ask the project it comes from, or choose another input."),
            name=lost.name,
        )


def spec_inputs(job: Job, kind: Kind) -> dict[str, Input]:
    """The inputs of a spec: every artefact and upload under `inputs/<field>`."""
    rows = job.inputs.select_related("artefact")
    inputs = {row.name: _artefact_input(row.name, row.artefact, job.project_id) for row in rows}
    for name in upload_fields(kind.params):
        if job.params.get(name):
            inputs[name] = _upload_input(name, Upload.objects.get(pk=job.params[name]))
    return inputs


def _artefact_input(name: str, artefact: Artefact, project: UUID) -> Input:
    own = artefact.project_id == project
    return Input(
        type=artefact.type,
        id=str(artefact.pk),
        name=artefact.name,
        path=f"inputs/{name}",
        manifest=artefact.manifest if own else artefact_types.shared_files(artefact),
        meta=artefact_types.meta(artefact),
    )


def _upload_input(name: str, upload: Upload) -> Input:
    filename = file_name(upload.filename)
    return Input(
        type="upload",
        id=str(upload.pk),
        name=upload.filename,
        path=f"inputs/{name}",
        manifest={filename: {"sha256": upload.sha256, "size": upload.size_bytes}},
        meta={"filename": upload.filename, "size": upload.size_bytes},
    )


def file_name(given: str) -> str:
    """A plain file name that keeps its ending: no folders, no control characters, no leading dot."""
    name = re.sub(r"[\x00-\x1f/\\:*?\"<>|]+", "_", given.replace("\\", "/").rpartition("/")[2]).lstrip(".")
    stem, dot, ending = name.rpartition(".")
    return f"{stem[:150]}{dot}{ending[:20]}" if name else "upload"
