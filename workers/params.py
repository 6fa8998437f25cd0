"""Building blocks for `Params`: pydantic fields that also carry unit, group and whether the simple form shows them.

The form, the API schema, the docs page and the contract test of a job kind are generated from these.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """Base of every job kind's parameters: unknown names are refused, defaults are checked."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


def param(
    default: Any = ...,
    *,
    label: str,
    help: str = "",
    unit: str = "",
    group: str = "",
    simple: bool = False,
    choices: Mapping[str, str] | None = None,
    **limits: Any,
) -> Any:
    """A field. `unit` is shown behind the input; `group` is a marked heading of the expert form; `simple` fields also
    stand in the simple form; `choices` says in marked words what each value means. `limits` are pydantic's (gt, ge, lt,
    le, max_length, pattern …)."""
    extra: dict[str, Any] = {"unit": unit, "group": group, "simple": simple}
    if choices:
        extra["choices"] = dict(choices)
    return Field(default, title=label, description=help, json_schema_extra=extra, **limits)


def artefact(
    type: str, *, label: str, help: str = "", required: bool = True, simple: bool = True, group: str = ""
) -> Any:
    """A field that names an input artefact (`dataset_version`, `model_version`, …) by id, `name` or `name:version`.

    The web resolves it to an artefact of the project and hands its files to the run as `io.input(<field name>)`.
    """
    extra: dict[str, Any] = {"artefact": type, "group": group, "unit": "", "simple": simple}
    default: Any = ... if required else None
    return Field(default, title=label, description=help, json_schema_extra=extra)


def upload(*, label: str, help: str = "", required: bool = True) -> Any:
    """A field that holds the id of an upload; its files reach the run as `io.input(<field name>)`."""
    extra: dict[str, Any] = {"upload": True, "group": "", "unit": "", "simple": True}
    default: Any = ... if required else None
    return Field(default, title=label, description=help, json_schema_extra=extra)


def artefact_fields(params: type[BaseModel]) -> dict[str, str]:
    """Names of the fields that point at artefacts, with the artefact type each wants."""
    return {
        name: str(field.json_schema_extra["artefact"])
        for name, field in params.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and "artefact" in field.json_schema_extra
    }


def upload_fields(params: type[BaseModel]) -> list[str]:
    """Names of the fields that hold upload ids."""
    return [
        name
        for name, field in params.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("upload")
    ]
