"""What clients may ask, in OpenAI's shapes, and how it becomes tokens and sampling.

Source: the OpenAI API reference for chat completions and completions; unknown fields are ignored as other servers do.
"""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from workers.errors import InvalidInput
from workers.lms.engines.base import Sampling
from workers.lms.serving.chat import ChatTokenizer
from workers.words import marked as _

STOPS_MAX = 16


class StreamOptions(BaseModel):
    include_usage: bool = False
    continuous_usage_stats: bool = False
    """Usage so far in every chunk, as vLLM does it."""


class Asked(BaseModel):
    """Fields of both routes."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(None, ge=-1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: list[str] = Field(default_factory=list, max_length=STOPS_MAX)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    presence_penalty: float = Field(0.0, ge=-2, le=2, allow_inf_nan=False)
    frequency_penalty: float = Field(0.0, ge=-2, le=2, allow_inf_nan=False)
    n: Literal[1] = 1

    @field_validator("stop", mode="before")
    @classmethod
    def one_or_many(cls, value: Any) -> Any:
        return [] if value is None else [value] if isinstance(value, str) else value

    @field_validator("stream", "stream_options", "presence_penalty", "frequency_penalty", "n", mode="before")
    @classmethod
    def null_is_default(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].get_default(call_default_factory=True) if value is None else value


class Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: str = Field(min_length=1, max_length=40)
    content: str = ""
    name: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def only_text(cls, value: Any) -> Any:
        """Content parts are joined when all of them are text."""
        if value is None:
            return ""
        if not isinstance(value, list):
            return value
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in value):
            raise ValueError("this model reads text only")
        return "".join(str(part.get("text", "")) for part in value)


class ChatAsked(Asked):
    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)

    def prompt_tokens(self, tokenizer: ChatTokenizer) -> list[int]:
        return tokenizer.encode_chat([message.model_dump(exclude_none=True) for message in self.messages])

    @property
    def wanted_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


class CompletionAsked(Asked):
    prompt: str | list[int]

    @field_validator("prompt", mode="before")
    @classmethod
    def one_prompt(cls, value: Any) -> Any:
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
            return value[0]
        return value

    def prompt_tokens(self, tokenizer: ChatTokenizer) -> list[int]:
        return self.prompt if isinstance(self.prompt, list) else tokenizer.encode(self.prompt)

    @property
    def wanted_tokens(self) -> int | None:
        return self.max_tokens if self.max_tokens is not None else 16  # the default of that route


def parse(body: bytes, shape: type[Asked]) -> Asked:
    """Raises InvalidInput naming the field, or the place where the JSON breaks."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        where = str(error)[:200]
        raise InvalidInput(_("The request body is not JSON: %(error)s"), code="bad_json", error=where) from error
    if not isinstance(asked, dict):
        raise InvalidInput(_("The request body must be a JSON object."), code="bad_json")
    try:
        return shape.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(_("%(field)s: %(error)s"), field=field, error=first["msg"]) from error


def sampling(asked: Any, prompt: int, context: int, defaults: dict[str, Any], stops: frozenset[int]) -> Sampling:
    """prompt: its number of tokens. defaults: the model's own generation_config.

    Raises InvalidInput (`context_length_exceeded`) when prompt and answer cannot fit.
    """
    wanted = asked.wanted_tokens
    if prompt + (wanted or 1) > context:
        raise InvalidInput(
            _("The context holds %(context)d tokens; the prompt has %(prompt)d, and %(wanted)d are asked for."),
            code="context_length_exceeded",
            context=context,
            prompt=prompt,
            wanted=wanted or 1,
        )
    top_k = asked.top_k if asked.top_k is not None else defaults.get("top_k", 0)
    return Sampling(
        max_tokens=wanted or context - prompt,
        temperature=asked.temperature if asked.temperature is not None else defaults.get("temperature", 1.0),
        top_p=asked.top_p if asked.top_p is not None else defaults.get("top_p", 1.0),
        top_k=max(0, top_k),
        seed=None if asked.seed is None else asked.seed % 2**31,
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        stop_token_ids=stops,
    )
