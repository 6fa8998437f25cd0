"""The chat template of a model, rendered as transformers does it: sandboxed Jinja, the same options and extra names.

A template comes with the model and is as hostile as its sender: the sandbox refuses attribute walks, and `POOL` cuts
endless loops and bombs, which would else stop an instance for everybody who asks it.
"""

import datetime
import json
from functools import lru_cache
from typing import Any

from workers.errors import InvalidInput, LimitReached
from workers.killable import Pool
from workers.words import marked as _

OUTPUT_BYTES = 1 << 20
POOL = Pool(
    "workers.lms.serving.template:answer", size=2, cpu_s=0.2, wall_s=5, memory_mib=512, answer_bytes=4 * OUTPUT_BYTES
)
"""Compiling the template, once in each child, counts too."""


def check(source: str) -> None:
    """Raises InvalidInput when the template is broken, LimitReached when it cannot even be read in time."""
    POOL.call({"source": source, "values": None})


def render(source: str, values: dict[str, Any]) -> str:
    """Raises InvalidInput when the template refuses the values, LimitReached when it does not end or says too much."""
    text: str = POOL.call({"source": source, "values": values})
    return text


# --- in the child


def answer(payload: dict[str, Any]) -> str:
    """What the pool serves. payload: {"source", "values": {…} or None to check only}."""
    from jinja2 import TemplateError

    template = compiled(payload["source"])
    if payload["values"] is None:
        return ""
    pieces, left = [], OUTPUT_BYTES
    try:
        for piece in template.generate(**payload["values"]):
            left -= len(piece.encode(errors="replace"))
            if left < 0:
                raise LimitReached(_("The rendered conversation is larger than 1 MB."), code="cut_off")
            pieces.append(piece)
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        text = str(error)[:500]
        raise InvalidInput(_("The chat template does not accept these messages: %(error)s"), error=text) from error
    return "".join(pieces)


@lru_cache(maxsize=4)
def compiled(source: str) -> Any:
    """Raises InvalidInput."""
    from jinja2 import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what training learns from; for serving it is nothing but its body."""

        tags = {"generation"}  # noqa: RUF012 - the name jinja2 looks for

        def parse(self, parser: Parser) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    extensions = [loopcontrols, Generation]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda pattern: datetime.datetime.now().strftime(pattern)  # noqa: DTZ005 - as in training
    try:
        return environment.from_string(source)
    except TemplateError as error:
        raise InvalidInput(_("The model's chat template is broken: %(error)s"), error=str(error)[:500]) from error
