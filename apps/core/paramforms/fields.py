"""One form field from one property of a JSON schema."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core import artefact_types, selectors, services
from apps.core.access import Actor
from apps.core.errors import AifsError, translate
from apps.core.models import Artefact, Project, Upload
from apps.core.parsing import check_storable

SHOWN_ARTEFACTS = 200
"""Newest artefacts offered in a select; older ones are named by `name:version` through the API."""
LONG_TEXT = 500
"""From this length on a text gets more than one line."""


def make_field(schema: dict[str, Any], required: bool, place: "Place") -> forms.Field:
    """The field of a property (its references already resolved)."""
    common = {
        "label": gettext(schema.get("title", "")),
        "help_text": gettext(schema["description"]) if schema.get("description") else "",
        "required": required,
    }
    if "artefact" in schema:
        return ArtefactField(schema["artefact"], place, **common)
    if schema.get("upload"):
        return UploadField(place, **common)
    kind, optional = plain_type(schema)
    values = kind.get("enum") or ([kind["const"]] if "const" in kind else None) or list(schema.get("choices", ()))
    if values:
        return _choice(schema, values, optional, common)
    if kind.get("type") == "boolean":
        return forms.BooleanField(**common | {"required": False})
    if kind.get("type") in {"integer", "number"}:
        return _number(kind, common)
    if kind.get("type") == "array" and kind.get("items", {}).get("type") == "string" and "enum" not in kind["items"]:
        return LinesField(**common)
    if kind.get("type") in {"array", "object"} or "type" not in kind:
        return JSONTextField(**common)
    return _text(kind, common)


def plain_type(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema of the value itself, and whether null is allowed too."""
    branches = schema.get("anyOf")
    if not branches:
        return schema, False
    real = [branch for branch in branches if branch.get("type") != "null"]
    optional = len(real) < len(branches)
    return (real[0] if len(real) == 1 else {}), optional


def _choice(schema: dict[str, Any], values: list[Any], optional: bool, common: dict[str, Any]) -> forms.Field:
    words = schema.get("choices", {})
    choices = [(str(value), gettext(words[value]) if value in words else str(value)) for value in values]
    if optional or not common["required"]:
        known = {value for value, _label in choices}
        if str(schema.get("default", "")) not in known:
            choices.insert(0, ("", "—"))
    return forms.ChoiceField(choices=choices, **common)


def _number(kind: dict[str, Any], common: dict[str, Any]) -> forms.Field:
    """Ranges are the browser's help only: what counts is what pydantic says afterwards."""
    whole = kind["type"] == "integer"
    low = kind.get("minimum", kind.get("exclusiveMinimum"))
    high = kind.get("maximum", kind.get("exclusiveMaximum"))
    if whole and "exclusiveMinimum" in kind:
        low += 1
    attributes: dict[str, Any] = {"step": kind.get("multipleOf", 1 if whole else "any")}
    if low is not None:
        attributes["min"] = low
    if high is not None:
        attributes["max"] = high
    field = (forms.IntegerField if whole else forms.FloatField)(widget=forms.NumberInput(attributes), **common)
    field.localize = False
    return field


def _text(kind: dict[str, Any], common: dict[str, Any]) -> forms.Field:
    length = kind.get("maxLength")
    long = length is not None and length > LONG_TEXT
    widget = forms.Textarea({"rows": 3}) if long else forms.TextInput()
    return forms.CharField(max_length=length, widget=widget, **common)


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(line) for line in value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        lines = str(value or "").splitlines()
        return [line.strip() for line in lines if line.strip()] or None


class JSONTextField(forms.CharField):
    """Anything nested, as JSON."""

    widget = forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False, indent=2)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            return None
        try:
            found = json.loads(text)
            check_storable(found)
            return found
        except (ValueError, RecursionError, AifsError) as error:
            raise ValidationError(_("Is not valid JSON: %(error)s"), params={"error": str(error)[:200]}) from None


class Place:
    """Where a form is filled in: what its selects offer and where its files go."""

    def __init__(self, project: Project, actor: Actor | None) -> None:
        self.project = project
        self.actor = actor

    def artefacts(self, type: str) -> list[Artefact]:
        """Newest first: the project's own, and those shared with it."""
        rows = Artefact.objects.filter(selectors.in_reach(self.project), type=type).select_related("project")
        return list(rows.defer("manifest", "meta").order_by("-created_at")[:SHOWN_ARTEFACTS])

    def label(self, artefact: Artefact) -> str:
        if artefact.project_id == self.project.pk:
            return artefact.name
        words = {"thing": artefact.name, "place": artefact.project.name}
        return gettext("%(thing)s (shared from %(place)s)") % words

    def may(self, right: str) -> bool:
        return self.actor is None or self.actor.may(right, self.project)


class ArtefactField(forms.CharField):
    """An artefact of the project, chosen from the newest; an id, `name` or `name:version` is understood too. first_url:
    where to get one, while there is none."""

    def __init__(self, type: str, place: Place, **kwargs: Any) -> None:
        self.type, self.place = type, place
        rows = place.artefacts(type) if place.may("view") else []
        self.first_url = "" if rows else artefact_types.first_url(type, place.project)
        choices = [("", gettext("Choose …")), *((str(row.pk), place.label(row)) for row in rows)]
        super().__init__(widget=forms.Select(choices=choices, attrs={"data-artefact": type}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """A name that was given as a start value selects its artefact."""
        if value and str(value) not in {key for key, _label in self.widget.choices}:
            try:
                return str(selectors.find_artefact(self.place.project, self.type, value).pk)
            except AifsError:
                return value
        return value

    def clean(self, value: Any) -> str | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return str(selectors.find_artefact(self.place.project, self.type, text).pk)
        except AifsError as error:
            raise ValidationError(translate(error.message, error.data)) from None


class UploadWidget(forms.ClearableFileInput):
    """`<file-upload>` sends the file in pieces and leaves its id; without scripts the form carries the file itself."""

    template_name = "ui/upload_input.html"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return (files.get(name) if files else None) or data.get(name)

    def format_value(self, value: Any) -> str:
        return value if isinstance(value, str) else ""


class UploadField(forms.Field):
    """The id of a finished upload of the project."""

    widget = UploadWidget

    def __init__(self, place: Place, **kwargs: Any) -> None:
        self.place = place
        super().__init__(**kwargs)
        self.widget.attrs["data-project"] = place.project.slug

    def clean(self, value: Any) -> str | None:
        value = super().clean(value)
        if not value or self.place.actor is None:
            return str(value) if value else None
        try:
            return str(self._upload(self.place.actor, value).pk)
        except AifsError as error:
            raise ValidationError(translate(error.message, error.data)) from None

    def _upload(self, actor: Actor, value: Any) -> Upload:
        if isinstance(value, UploadedFile):
            return services.create_upload_from_file(actor, self.place.project, value)
        return selectors.get_upload(actor, self.place.project, value)
