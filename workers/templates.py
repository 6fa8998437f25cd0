"""Templates of prompts: messages with `{{ variable }}` places, rendered by Jinja2's immutable sandbox.

Templates come from users and are hostile. Both functions here are served by `workers.killable`, never called in the web
process: the sandbox refuses attribute walks, the pool cuts endless loops and bombs.
"""

from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workers.errors import InvalidInput, LimitReached
from workers.words import marked as _

OUTPUT_BYTES = 1 << 20
"""Largest rendered text of all messages together (TRUST: 1 MB)."""
GLOBALS = ("range", "dict")
"""Of Jinja2's own globals, what a prompt may need; `range` is bounded by the sandbox."""


def environment() -> ImmutableSandboxedEnvironment:
    """A sandbox that knows no files and treats an unknown variable as an error."""
    sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    sandbox.globals = {name: sandbox.globals[name] for name in GLOBALS}
    return sandbox


def answer(payload: dict[str, Any]) -> Any:
    """What the pool serves: `inspect` or `render`, by the payload's `do`."""
    return {"inspect": inspect, "render": render}[payload["do"]](payload)


def inspect(payload: dict[str, Any]) -> dict[str, Any]:
    """Find what is wrong with templates and which variables they use.

    payload: {"messages": [{"role", "content"}]}. Returns {"variables": [names in order of appearance],
    "errors": [{"message": index, "line", "text"}]}.
    """
    sandbox = environment()
    names: list[str] = []
    problems: list[dict[str, Any]] = []
    for index, message in enumerate(payload["messages"]):
        try:
            tree = sandbox.parse(message["content"])
            sandbox.compile(tree)
            found = meta.find_undeclared_variables(sandbox.parse(message["content"])) - set(GLOBALS)
        except TemplateSyntaxError as error:
            problems.append({"message": index, "line": error.lineno, "text": error.message or str(error)})
            continue
        except TemplateError as error:
            problems.append({"message": index, "line": 1, "text": str(error)})
            continue
        names += sorted(found - set(names), key=lambda name: message["content"].find(name))
    return {"variables": names, "errors": problems}


def render(payload: dict[str, Any]) -> list[dict[str, str]]:
    """Fill the places. payload: {"messages": [...], "values": {name: value}}. Returns the messages with plain contents.

    Raises InvalidInput that names the message and line at fault or the missing variable; LimitReached past 1 MB.
    """
    sandbox = environment()
    left = OUTPUT_BYTES
    done = []
    for index, message in enumerate(payload["messages"]):
        content, left = _fill(sandbox, index, message["content"], payload["values"], left)
        done.append({"role": message["role"], "content": content})
    return done


def _fill(
    sandbox: ImmutableSandboxedEnvironment, index: int, source: str, values: dict[str, Any], left: int
) -> tuple[str, int]:
    pieces = []
    try:
        for piece in sandbox.from_string(source).generate(values):
            left -= len(piece.encode())
            if left < 0:
                raise LimitReached(_("The rendered prompt is larger than 1 MB."), code="cut_off")
            pieces.append(piece)
    except TemplateSyntaxError as error:
        raise InvalidInput(
            _("Message %(number)d, line %(line)d: %(text)s"),
            code="template_syntax",
            number=index + 1,
            line=error.lineno,
            text=error.message or str(error),
        ) from None
    except SecurityError as error:
        raise InvalidInput(
            _("Message %(number)d asks for something a prompt may not touch: %(text)s"),
            code="template_refused",
            number=index + 1,
            text=str(error),
        ) from None
    except UndefinedError as error:
        raise InvalidInput(
            _("Message %(number)d uses a variable that has no value: %(text)s"),
            code="variable_missing",
            number=index + 1,
            text=str(error),
        ) from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise InvalidInput(
            _("Message %(number)d cannot be rendered: %(text)s"),
            code="template_failed",
            number=index + 1,
            text=f"{type(error).__name__}: {error}"[:300],
        ) from None
    return "".join(pieces), left
