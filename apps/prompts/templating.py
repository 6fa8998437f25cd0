"""Shapes of a prompt (messages, typed variables, settings) and the rendering of it, in killable children."""

import math
from typing import Any, Literal

from django.utils.translation import gettext_noop as _
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from apps.core.errors import InvalidInput, translate
from apps.core.validation import field_errors, finding
from workers.killable import Pool

pool = Pool("workers.templates:answer", size=4, cpu_s=0.1)

MESSAGES = 50
VARIABLES = 50
CONTENT_CHARACTERS = 100_000
TRUTH = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


class Message(BaseModel):
    """One message of the template; its content may hold `{{ variable }}` places."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=CONTENT_CHARACTERS)


class Variable(BaseModel):
    """One place to fill. The primary variable takes the last user message of a conversation."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=60)
    type: Literal["text", "long_text", "number", "choice", "boolean"] = "text"
    label: str = Field("", max_length=120)
    required: bool = True
    default: str | float | bool | None = None
    primary: bool = False
    choices: list[str] = Field(default_factory=list, max_length=100)

    @field_validator("name")
    @classmethod
    def _identifier(cls, name: str) -> str:
        if not name.isidentifier() or name.startswith("_"):
            raise ValueError(_("A name is made of letters, digits and underscores, and begins with a letter."))
        return name

    @model_validator(mode="after")
    def _choices(self) -> "Variable":
        if self.type == "choice" and not self.choices:
            raise ValueError(_("A choice needs at least one option."))
        if self.default is not None and self.default != "":
            self.default = typed(self, self.default)
        return self


class Settings(BaseModel):
    """How the model answers; what is not set is left to the deployment."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1, le=131_072)
    stop: list[str] = Field(default_factory=list, max_length=4)


def check(messages: Any, variables: Any, settings: Any) -> tuple[list[dict], list[dict], dict]:
    """Return the three parts in their stored shape.

    variables: None declares every variable the messages use as a required text. Blank messages are left out: an empty
    system message would suppress the one that a model's chat template brings. Raises InvalidInput whose data names each
    field, message or line at fault, counted as they were given.
    """
    parsed = _parse("messages", TypeAdapter(list[Message]), messages)
    if not parsed or len(parsed) > MESSAGES:
        raise _invalid("messages", _("A prompt has between 1 and 50 messages."))
    given = [message.model_dump() for message in parsed]
    used = inspect(given)
    if variables is None:
        variables = [{"name": name, "label": name} for name in used]
    declared = _parse("variables", TypeAdapter(list[Variable]), variables)
    _check_names(declared, used)
    if len(declared) == 1 and declared[0].type in {"text", "long_text"}:
        declared[0].primary = True
    chosen = _parse("settings", TypeAdapter(Settings), settings or {})
    stored = [message for message in given if message["content"].strip()]
    if not stored:
        raise _invalid("messages", _("All messages are empty. Write something in at least one of them."))
    return stored, [variable.model_dump() for variable in declared], chosen.model_dump(exclude_defaults=True)


def inspect(messages: list[dict]) -> list[str]:
    """Names of the variables the messages use. Raises InvalidInput with the message and line of every syntax error."""
    found = pool.call({"do": "inspect", "messages": messages})
    if found["errors"]:
        raise InvalidInput(
            _("The template has a mistake in message %(number)d, line %(line)d: %(text)s"),
            code="template_syntax",
            number=found["errors"][0]["message"] + 1,
            line=found["errors"][0]["line"],
            text=found["errors"][0]["text"],
            errors=[
                {"field": f"messages.{error['message']}.content", "message": error["text"], "line": error["line"]}
                for error in found["errors"]
            ],
        )
    names: list[str] = found["variables"]
    return names


def render(messages: list[dict], variables: list[dict], inputs: dict[str, Any]) -> list[dict[str, str]]:
    """Messages with every place filled; a system message that comes out blank is left out, unless it stands alone.

    Raises InvalidInput that names a missing or wrong variable.
    """
    values = fill(variables, inputs)
    rendered: list[dict[str, str]] = pool.call({"do": "render", "messages": messages, "values": values})
    return [message for message in rendered if message["role"] != "system" or message["content"].strip()] or rendered


def fill(variables: list[dict], inputs: dict[str, Any]) -> dict[str, Any]:
    """A value of the right type for every variable: what was given, else its default, else empty when optional."""
    declared = [Variable(**variable) for variable in variables]
    unknown = sorted(set(inputs) - {variable.name for variable in declared})
    if unknown:
        raise InvalidInput(
            _("This prompt has no variable named %(name)s."), code="variable_unknown", name=unknown[0], unknown=unknown
        )
    values = {}
    missing = []
    for variable in declared:
        given = inputs.get(variable.name)
        if given is None or given == "":
            given = variable.default
        if (given is None or given == "") and variable.required:
            missing.append(variable.name)
        elif given is None or given == "":
            values[variable.name] = False if variable.type == "boolean" else ""
        else:
            values[variable.name] = _value(variable, given)
    if missing:
        raise InvalidInput(
            _("The variable %(name)s needs a value."),
            code="variable_missing",
            name=missing[0],
            missing=missing,
            errors=[finding(f"inputs.{name}", "missing") for name in missing],
        )
    return values


def typed(variable: Variable, given: Any) -> str | float | bool:
    """The value in the variable's type. Raises PydanticCustomError with a type of `validation.MESSAGES`."""
    if variable.type == "boolean":
        if isinstance(given, bool):
            return given
        if (word := str(given).strip().lower()) not in TRUTH:
            raise PydanticCustomError("bool_parsing", "expected true or false")
        return TRUTH[word]
    if variable.type == "number":
        return _number(given)
    text = str(given)
    if variable.type == "choice" and text not in variable.choices:
        raise PydanticCustomError("enum", "not among the choices", {"expected": ", ".join(variable.choices)})
    if len(text) > CONTENT_CHARACTERS:
        raise PydanticCustomError("string_too_long", "too long", {"max_length": CONTENT_CHARACTERS})
    return text


def _number(given: Any) -> float:
    try:
        number = float(given)
    except (ValueError, TypeError):
        raise PydanticCustomError("float_parsing", "no number") from None
    if isinstance(given, bool) or not math.isfinite(number):
        raise PydanticCustomError("finite_number", "no finite number")
    return int(number) if number.is_integer() else number


def with_conversation(
    messages: list[dict], variables: list[dict], inputs: dict[str, Any], conversation: list[dict]
) -> list[dict[str, str]]:
    """Render a prompt as the next turn of a conversation.

    The last user message fills the primary variable unless `inputs` does; the turns before it stand in front of the
    template's last message, so that the model sees them where a reader would.
    """
    values = dict(inputs)
    earlier: list[dict] = []
    last = next((i for i in range(len(conversation) - 1, -1, -1) if conversation[i].get("role") == "user"), None)
    primary = next((variable["name"] for variable in variables if variable["primary"]), None)
    if last is not None:
        earlier = [turn for turn in conversation[:last] if turn.get("role") in {"user", "assistant"}]
        if primary and not values.get(primary):
            values[primary] = _plain(conversation[last].get("content"))
    rendered = render(messages, variables, values)
    turns = [{"role": turn["role"], "content": _plain(turn.get("content"))} for turn in earlier]
    if last is not None and primary is None and not variables:
        return [*rendered, *turns, {"role": "user", "content": _plain(conversation[last].get("content"))}]
    return [*rendered[:-1], *turns, rendered[-1]]


def _plain(content: Any) -> str:
    """Text of a message: a string, or the text parts of a list."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def _value(variable: Variable, given: Any) -> Any:
    try:
        return typed(variable, given)
    except PydanticCustomError as error:
        found = finding(f"inputs.{variable.name}", error.type, **(error.context or {}))
        raise InvalidInput(
            _("The variable %(name)s is not right: %(text)s"),
            code="variable_wrong",
            name=variable.name,
            text=found["message"],
            errors=[found],
        ) from None


def _check_names(declared: list[Variable], used: list[str]) -> None:
    names = [variable.name for variable in declared]
    if len(declared) > VARIABLES:
        raise _invalid("variables", _("A prompt has at most 50 variables."))
    for name in names:
        if names.count(name) > 1:
            raise _invalid("variables", _("The variable %(name)s is declared twice."), name=name)
    for name in used:
        if name not in names:
            raise _invalid("variables", _("The messages use %(name)s, which is no declared variable."), name=name)
    if sum(variable.primary for variable in declared) > 1:
        raise _invalid("variables", _("Only one variable can be the primary one."))


def _parse(field: str, adapter: TypeAdapter, value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problems = [{**row, "field": f"{field}.{row['field']}".rstrip(".")} for row in field_errors(error)]
        raise InvalidInput(
            _("%(field)s: %(text)s"), field=problems[0]["field"], text=problems[0]["message"], errors=problems
        ) from None


def _invalid(field: str, message: str, **data: Any) -> InvalidInput:
    return InvalidInput(message, errors=[{"field": field, "message": translate(message, data)}], **data)
