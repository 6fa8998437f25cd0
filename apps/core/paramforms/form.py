"""The form of a job kind."""

import json
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext
from pydantic import ValidationError

from apps.core.access import Actor
from apps.core.models import Project
from apps.core.paramforms.fields import Place, make_field
from apps.core.validation import field_errors
from workers.kinds import Kind, kinds


class ParamsForm(forms.Form):
    """kind: a job kind or its name. data, files: of a POST. initial: start values by parameter (of a job, of a link).

    actor: who fills it in; needed to take files and to hide artefacts from who may not see them.
    exclude: parameters the page sets itself; hand them to `params(**fixed)`.

    Each bound field has `.field.unit`, `.field.default_text` and `.field.simple` for templates/ui/params_form.html.
    """

    def __init__(
        self,
        kind: Kind | str,
        project: Project,
        data: Any = None,
        files: Any = None,
        *,
        actor: Actor | None = None,
        initial: dict[str, Any] | None = None,
        exclude: tuple[str, ...] = (),
    ) -> None:
        self.kind = kinds.get(kind) if isinstance(kind, str) else kind
        self.exclude = exclude
        self.schemas = properties(self.kind)
        defaults = {name: schema["default"] for name, schema in self.schemas.items() if "default" in schema}
        super().__init__(data, files, initial=defaults | (initial or {}))
        self.project = project
        place = Place(project, actor)
        required = set(self.kind.params.model_json_schema().get("required", []))
        for name, schema in self.schemas.items():
            if name not in exclude:
                self.fields[name] = self._field(schema, name in required, place)

    def _field(self, schema: dict[str, Any], required: bool, place: Place) -> forms.Field:
        field = make_field(schema, required, place)
        field.unit = _translated(schema.get("unit"))  # type: ignore[attr-defined]
        field.simple = bool(schema.get("simple"))  # type: ignore[attr-defined]
        field.group = _translated(schema.get("group"))  # type: ignore[attr-defined]
        field.default_text = default_text(field, schema.get("default"))  # type: ignore[attr-defined]
        return field

    @property
    def yaml_url(self) -> str:
        """Where the form becomes YAML and back; empty for one that is made of no registered kind."""
        if self.prefix or self.kind.name not in kinds:
            return ""
        return reverse("core:params_yaml", args=[self.project.slug, self.kind.name])

    def simple_fields(self) -> list[forms.BoundField]:
        """What the simple form asks: marked as simple, or needed."""
        return [bound for bound in self if bound.field.simple or bound.field.required]  # type: ignore[attr-defined]

    def expert_groups(self) -> list[dict[str, Any]]:
        """The rest by heading, in the order of the parameters: [{"label", "fields"}]."""
        shown = {bound.name for bound in self.simple_fields()}
        groups: dict[str, list[forms.BoundField]] = {}
        for bound in self:
            if bound.name not in shown:
                groups.setdefault(bound.field.group, []).append(bound)  # type: ignore[attr-defined]
        return [{"label": label or gettext("More"), "fields": fields} for label, fields in groups.items()]

    def clean(self) -> dict[str, Any]:
        """What pydantic says stands beside the field it is about."""
        if self.errors:
            return self.cleaned_data
        try:
            self.kind.params.model_validate(self.params())
        except ValidationError as error:
            # what the page sets itself is checked when the job is submitted
            found = field_errors(error)
            self.add_errors([row for row in found if row["field"].partition(".")[0] not in self.exclude])
        return self.cleaned_data

    def add_errors(self, errors: list[dict[str, Any]]) -> None:
        """Show `data["errors"]` of an InvalidInput, too: a nested field's beside the field it lies in."""
        for row in errors:
            name, _dot, inner = str(row.get("field", "")).partition(".")
            known = name in self.fields
            text = f"{inner}: {row['message']}" if inner and known else row["message"]
            self.add_error(name if known else None, text if known or not name else f"{name}: {text}")

    def params(self, all: bool = False, **fixed: Any) -> dict[str, Any]:
        """The parameters as typed: only those that differ from their defaults, or all. `fixed` comes on top."""
        values = {name: value for name, value in self.cleaned_data.items() if value is not None and value != ""}
        if not all:
            defaults = {name: schema.get("default") for name, schema in self.schemas.items() if "default" in schema}
            values = {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}
        return values | fixed


def properties(kind: Kind) -> dict[str, dict[str, Any]]:
    """JSON schema of every parameter, references resolved, in the order of the class."""
    schema = kind.params.model_json_schema()
    definitions = schema.get("$defs", {})
    found: dict[str, dict[str, Any]] = {}
    for name, property in schema.get("properties", {}).items():
        found[name] = resolve(property, definitions)
        extra = kind.params.model_fields[name].json_schema_extra
        found[name] |= dict(extra) if isinstance(extra, dict) else {}
    return found


def resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema with its own `$ref` (also inside anyOf, allOf and items) replaced by what it points at."""
    schema = dict(schema)
    if "$ref" in schema:
        schema = definitions[schema.pop("$ref").rpartition("/")[2]] | schema
    if len(schema.get("allOf", ())) == 1:
        schema = resolve(schema.pop("allOf")[0], definitions) | schema
    if "anyOf" in schema:
        schema["anyOf"] = [resolve(branch, definitions) for branch in schema["anyOf"]]
    if "$ref" in schema.get("items", {}):
        schema["items"] = {"type": "object"}
    return schema


def default_text(field: forms.Field, default: Any) -> str:
    """The default as the control would hold it, for the mark of what was changed."""
    if isinstance(field, forms.BooleanField):
        return "true" if default else "false"
    prepared = field.prepare_value(default)
    if prepared is None:
        return ""
    return prepared if isinstance(prepared, str) else json.dumps(prepared)


def _translated(text: str | None) -> str:
    """Of nothing, gettext would tell the head of its catalogue."""
    return gettext(text) if text else ""
