"""From messages to tokens and back, without transformers (which would cost a serving process 400 MB).

The template is rendered as transformers does it (sandboxed Jinja, the same options and extra names), and the text is
cut into tokens by the model's own `tokenizer.json`, so what is served is what was trained. A test compares both.
"""

import datetime
import json
from pathlib import Path
from typing import Any

from workers.errors import InvalidInput
from workers.lms.chat import PLAIN_TEMPLATE
from workers.lms.gguf_export import chat_template
from workers.words import marked as _

SPECIALS = ("bos_token", "eos_token", "pad_token", "unk_token")


class ChatTokenizer:
    """Tokenizer and chat template of one model folder."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        if not (folder / "tokenizer.json").exists():
            raise InvalidInput(_("The model folder has no tokenizer.json."))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        settings = _read(folder / "tokenizer_config.json")
        self._specials = {name: _text(settings.get(name)) for name in SPECIALS}
        self._template = _compiled(chat_template(folder) or PLAIN_TEMPLATE)
        self.stop_token_ids = self._stops(folder)

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=True).ids)

    def encode_chat(self, messages: list[dict[str, Any]]) -> list[int]:
        """Raises InvalidInput when the template refuses the messages."""
        return list(self._tokenizer.encode(self.render(messages), add_special_tokens=False).ids)

    def render(self, messages: list[dict[str, Any]]) -> str:
        from jinja2 import TemplateError

        names = {name: text for name, text in self._specials.items() if text}
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **names)
        except (TemplateError, TypeError, ValueError, KeyError, ArithmeticError) as error:
            text = str(error)
            raise InvalidInput(_("The chat template does not accept these messages: %(error)s"), error=text) from error

    def decoder(self) -> "Decoder":
        return Decoder(self._tokenizer)

    def _stops(self, folder: Path) -> frozenset[int]:
        """End-of-answer tokens: those of generation_config.json, else of config.json, and the tokenizer's own."""
        named = _read(folder / "generation_config.json").get("eos_token_id")
        named = _read(folder / "config.json").get("eos_token_id") if named is None else named
        ids = set(named if isinstance(named, list) else [named])
        ids.add(self._tokenizer.token_to_id(self._specials["eos_token"]) if self._specials["eos_token"] else None)
        return frozenset(int(token) for token in ids if token is not None)


class Decoder:
    """Turns the tokens of one answer into text as they come; a character split over tokens is held back until whole."""

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)

    def push(self, tokens: list[int]) -> str:
        return "".join(self._stream.step(self._tokenizer, token) or "" for token in tokens)


def _compiled(source: str) -> Any:
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
        raise InvalidInput(_("The model's chat template is broken: %(error)s"), error=str(error)) from error


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _text(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")
