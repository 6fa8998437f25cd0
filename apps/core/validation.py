"""What pydantic finds wrong, said in the reader's language."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from pydantic import ValidationError

from apps.core.errors import translate

MESSAGES = {
    "missing": _("This is needed."),
    "extra_forbidden": _("There is no parameter of this name."),
    "greater_than": _("Must be more than %(gt)s."),
    "greater_than_equal": _("Must be at least %(ge)s."),
    "less_than": _("Must be less than %(lt)s."),
    "less_than_equal": _("Must be at most %(le)s."),
    "multiple_of": _("Must be a multiple of %(multiple_of)s."),
    "finite_number": _("Must be a finite number."),
    "int_parsing": _("Must be a whole number."),
    "int_type": _("Must be a whole number."),
    "int_from_float": _("Must be a whole number."),
    "float_parsing": _("Must be a number."),
    "float_type": _("Must be a number."),
    "bool_parsing": _("Must be true or false."),
    "bool_type": _("Must be true or false."),
    "string_type": _("Must be a text."),
    "string_too_short": _("Must have at least %(min_length)s characters."),
    "string_too_long": _("Must have at most %(max_length)s characters."),
    "string_pattern_mismatch": _("Is not written in the form that is expected (%(pattern)s)."),
    "literal_error": _("Must be one of %(expected)s."),
    "enum": _("Must be one of %(expected)s."),
    "list_type": _("Must be a list."),
    "dict_type": _("Must be an object."),
    "model_type": _("Must be an object."),
    "too_short": _("Must have at least %(min_length)s entries."),
    "too_long": _("Must have at most %(max_length)s entries."),
    "json_invalid": _("Is not valid JSON."),
    "range": _("Must be between %(ge)s and %(le)s."),
}


def message(type: str, text: str, data: dict[str, Any]) -> str:
    """A finding in the reader's language; what has no text here is shown as pydantic (or the plug-in) says it."""
    if type in MESSAGES:
        return translate(MESSAGES[type], data)
    return gettext(text.removeprefix("Value error, ").removeprefix("Assertion failed, "))


def finding(field: str, type: str, **data: Any) -> dict[str, Any]:
    """One of ours in the shape of pydantic's. type: one of `MESSAGES`, whose places data fills."""
    return {"field": field, "message": message(type, "", data), "type": type, "data": data}


def field_errors(error: ValidationError) -> list[dict[str, Any]]:
    """[{"field", "message", "type", "data"}]; a nested field is `outer.0.inner`, the whole object ``."""
    found = []
    for row in error.errors(include_url=False, include_input=False):
        context = row.get("ctx", {})
        data = {name: value for name, value in context.items() if isinstance(value, str | int | float | bool)}
        field = ".".join(str(part) for part in row["loc"])
        found.append(
            {"field": field, "message": message(row["type"], row["msg"], data), "type": row["type"], "data": data}
        )
    return found
