"""Conversations as tokens: what the model reads, and which of it are answers. Training and evaluation share this."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers.errors import InvalidInput
from workers.words import marked as _

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, Any]

PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '### Answer:\n' + message['content'] + eos_token + '\n' }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% else %}{{ '### Question:\n' + message['content'] + '\n\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '### Answer:\n' }}{% endif %}"
)
"""For models that bring no chat template: needs no special tokens but the model's own start and end."""

IGNORED = -100
"""Label of tokens that are not learned; the value that torch's cross entropy skips."""


@dataclass(frozen=True)
class Encoded:
    """One conversation. ids: what the model reads; labels: the same, with IGNORED where no answer stands."""

    ids: list[int]
    labels: list[int]

    @property
    def answer_tokens(self) -> int:
        """Tokens that are predicted; the first token of a row never is."""
        return sum(label != IGNORED for label in self.labels[1:])


def ensure_template(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Give a tokenizer without a chat template the plain one. Returns whether that was needed.

    Raises InvalidInput when the tokenizer has no end token, without which no answer ever ends.
    """
    if tokenizer.eos_token is None:
        raise InvalidInput(_("The model's tokenizer has no end token."), code="tokenizer_without_end")
    if tokenizer.chat_template:
        return False
    tokenizer.chat_template = PLAIN_TEMPLATE
    return True


def encode(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message]) -> Encoded:
    """Tokens of a conversation up to its last answer, every answer labelled, the end token after it included.

    Each answer is tokenised apart from what stands before it, exactly as the model will write it.
    Raises ValueError when there is no answer or the template refuses the conversation.
    """
    ids: list[int] = []
    labels: list[int] = []
    for text, answer in _pieces(tokenizer, list(messages)):
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += tokens
        labels += tokens if answer else [IGNORED] * len(tokens)
    return Encoded(ids, labels)


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message]) -> list[int]:
    """Tokens the model reads before it answers."""
    ids: list[int] = tokenizer(render(tokenizer, messages, prompt=True), add_special_tokens=False)["input_ids"]
    return ids


def render(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], *, prompt: bool = False) -> str:
    """The conversation as text. prompt: end where the assistant begins to speak. Raises ValueError when refused."""
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=prompt)
    except (TemplateError, TypeError, KeyError) as error:
        raise ValueError(f"the chat template refuses the conversation: {error}") from error
    return text


def _pieces(tokenizer: "PreTrainedTokenizerBase", messages: list[Message]) -> Iterator[tuple[str, bool]]:
    """(text, is it an answer?) in order; together the whole conversation up to its last answer."""
    turns = [number for number, message in enumerate(messages) if message.get("role") == "assistant"]
    if not turns:
        raise ValueError("the conversation has no answer")
    pieces = _split(tokenizer, messages, turns)
    if not pieces:
        # Some templates rewrite earlier turns (they drop reasoning, say): then only the last answer can be learned.
        pieces = _split(tokenizer, messages, turns[-1:])
    if not pieces:
        raise ValueError("the chat template writes an answer differently from what it asks for")
    yield from pieces


def _split(
    tokenizer: "PreTrainedTokenizerBase", messages: list[Message], turns: Sequence[int]
) -> list[tuple[str, bool]]:
    """Empty when the text before an answer is not the start of the text with it."""
    pieces = []
    done = ""
    for number in turns:
        before = render(tokenizer, messages[:number], prompt=True)
        after = render(tokenizer, messages[: number + 1])
        if not before.startswith(done) or not after.startswith(before):
            return []
        pieces += [(before[len(done) :], False), (after[len(before) :], True)]
        done = after
    return pieces
