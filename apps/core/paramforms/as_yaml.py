"""The parameters of a form as YAML and back: what stands in the controls, and what is wrong in which line."""

import re
from typing import Any

import yaml
from django import forms
from django.utils.translation import gettext as _
from pydantic import ValidationError

from apps.core import artefact_types
from apps.core.errors import AifsError
from apps.core.models import Artefact
from apps.core.paramforms.fields import ArtefactField, UploadField
from apps.core.paramforms.form import ParamsForm, default_text
from apps.core.validation import field_errors

LIMIT = 64 << 10
"""Characters; no form needs more, and a parser should not be made to work for nothing."""
DEPTH = 20
Problem = dict[str, Any]
Lines = dict[tuple[Any, ...], int]


class PlainLoader(yaml.SafeLoader):
    """YAML 1.2's words: only true and false are booleans, a date stays text, and 1e-3 is a number."""


PlainLoader.yaml_implicit_resolvers = {
    letter: [(tag, regex) for tag, regex in resolvers if tag.rpartition(":")[2] in {"int", "null", "merge"}]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?$"),
    list("-+.0123456789"),
)


def write(form: ParamsForm, names: list[str]) -> str:
    """What stands in the controls of a bound form, whether or not it is right; a comment says what each line is."""
    lines = []
    for name, field in form.fields.items():
        if name not in names:
            continue
        value = _value(form, name, field)
        unit = f" ({field.unit})" if getattr(field, "unit", "") else ""
        text = (
            yaml.safe_dump({name: value}, allow_unicode=True, sort_keys=False, width=100)
            if value is not None
            else f"# {name}:\n"
        )
        lines.append(f"# {str(field.label).splitlines()[0] if field.label else name}{unit}\n{text}")
    return "\n".join(lines)


def _value(form: ParamsForm, name: str, field: forms.Field) -> Any:
    raw = form[name].data
    if isinstance(field, UploadField):
        return str(raw) if isinstance(raw, str) and raw else None
    try:
        value = field.clean(raw)
    except forms.ValidationError:
        return raw
    if isinstance(field, ArtefactField) and value:
        return _name_of(field, value)
    return None if value == "" else value


def _name_of(field: ArtefactField, id: str) -> str:
    """`name:version` where that finds the same artefact again, else its id."""
    artefact = Artefact.objects.filter(project=field.place.project, pk=id).only("name").first()
    known = artefact_types.get(field.type)
    found = known.find(field.place.project, artefact.name) if known and artefact else None
    return artefact.name if artefact and found and str(found.pk) == id else id


def read(form: ParamsForm, names: list[str], text: str) -> tuple[dict[str, str], list[Problem]]:
    """Texts of the controls by parameter, and what is wrong: [{"line" or None, "field", "message"}].

    A parameter that the text leaves out goes back to its default. Nothing is applied while the text cannot be read.
    """
    try:
        given, lines = parse(text)
    except Unreadable as error:
        return {}, [{"line": error.line, "field": "", "message": error.message}]
    problems = [
        {"line": lines.get((name,)), "field": name, "message": _("There is no parameter of this name.")}
        for name in given
        if name not in names
    ]
    values, controls = {}, {}
    for name in names:
        field, schema = form.fields[name], form.schemas[name]
        default = schema.get("default")
        value = given.get(name, default)
        same = value == default and isinstance(value, bool) == isinstance(default, bool)
        controls[name] = default_text(field, default if same else value)  # 32.0 is no change of 32
        if value is not None:
            values[name] = value
            if isinstance(field, ArtefactField):
                problems += _artefact_problems(field, name, value, lines)
    problems += _wrong(form, names, values, lines)
    return controls, problems


def _artefact_problems(field: ArtefactField, name: str, value: Any, lines: Lines) -> list[Problem]:
    try:
        field.clean(str(value))
    except forms.ValidationError as error:
        return [{"line": lines.get((name,)), "field": name, "message": error.messages[0]}]
    return []


def _wrong(form: ParamsForm, names: list[str], values: dict[str, Any], lines: Lines) -> list[Problem]:
    """What pydantic says, each with the line of the innermost place that it is about."""
    try:
        form.kind.params.model_validate(values)
    except ValidationError as error:
        rows = zip(error.errors(include_url=False, include_context=False), field_errors(error), strict=True)
        return [
            {"line": _line_of(row["loc"], lines), "field": said["field"], "message": said["message"]}
            for row, said in rows
            if not row["loc"] or row["loc"][0] in names
        ]
    return []


def _line_of(place: tuple[Any, ...], lines: Lines) -> int | None:
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None


class Unreadable(AifsError):
    """The text is no YAML mapping. line: from 1, None for the whole."""

    status, code = 400, "invalid_yaml"

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def parse(text: str) -> tuple[dict[str, Any], Lines]:
    """The mapping of a YAML text and the line (from 1) of every value by its path.

    Raises Unreadable; also for aliases and repeated names, which are traps in a form.
    """
    if len(text) > LIMIT:
        raise Unreadable(_("The text is too long."))
    try:
        for token in yaml.scan(text, PlainLoader):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
                raise Unreadable(_("Anchors and aliases are not understood here."), token.start_mark.line + 1)
        node = yaml.compose(text, PlainLoader)
        lines = _lines(node, ()) if node else {}
        value = yaml.load(text, PlainLoader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(str(error.problem or _("This is no YAML.")), mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise Unreadable(_("This is no YAML.")) from None
    if value is None:
        return {}, {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Unreadable(_("Write one parameter a line: name: value."), 1)
    return value, lines


def _lines(node: yaml.Node, path: tuple[Any, ...]) -> Lines:
    if len(path) > DEPTH:
        raise Unreadable(_("The YAML is nested too deeply."), node.start_mark.line + 1)
    found: Lines = {path: node.start_mark.line + 1} if path else {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable(_("Write one parameter a line: name: value."), key.start_mark.line + 1)
            here = (*path, key.value)
            if here in found:
                message = _("“%(name)s” stands here twice.") % {"name": str(key.value)[:60]}
                raise Unreadable(message, key.start_mark.line + 1)
            found |= _lines(value, here) | {here: key.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found |= _lines(value, (*path, index))
    return found
