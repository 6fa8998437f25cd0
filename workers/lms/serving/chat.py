"""From messages to tokens and back, without transformers (which would cost a serving process 400 MB).

The text that the template makes is cut into tokens by the model's own `tokenizer.json`, so what is served is what was
trained. A test compares both.
"""

import json
from pathlib import Path
from typing import Any

from workers.errors import InvalidInput
from workers.lms.chat import PLAIN_TEMPLATE
from workers.lms.gguf_export import chat_template
from workers.lms.serving import template
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
        self._template = chat_template(folder) or PLAIN_TEMPLATE
        template.check(self._template)
        self.stop_token_ids = self._stops(folder)

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=True).ids)

    def encode_chat(self, messages: list[dict[str, Any]]) -> list[int]:
        """Raises InvalidInput when the template refuses the messages, LimitReached when it does not end."""
        return list(self._tokenizer.encode(self.render(messages), add_special_tokens=False).ids)

    def render(self, messages: list[dict[str, Any]]) -> str:
        names = {name: text for name, text in self._specials.items() if text}
        return template.render(self._template, {"messages": messages, "add_generation_prompt": True, **names})

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


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _text(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")
