"""Preference pairs: a prompt with a chosen and a rejected answer."""

from typing import Any

from workers.datasets.base import BadRow, Format, Row, first_field, formats, identity, leftovers, text_of
from workers.datasets.conversations import Message, conversation, is_turn, message
from workers.words import marked as _

CHOSEN = ("chosen", "chosen_messages", "preferred")
REJECTED = ("rejected", "rejected_messages", "dispreferred")
CONVERSATION = ("conversations", "conversation", "messages", "prompt_messages")
PROMPT = ("prompt", "instruction", "question", "query")


def recognises(row: Row) -> bool:
    return first_field(row, CHOSEN) is not None and first_field(row, REJECTED) is not None


def normalise(row: Row) -> Row:
    """Prompt, chosen and rejected as messages; when both answers repeat the conversation, what they share is asked."""
    chosen_key, rejected_key = first_field(row, CHOSEN), first_field(row, REJECTED)
    if chosen_key is None or rejected_key is None:
        raise BadRow("missing_field", CHOSEN[0] if chosen_key is None else REJECTED[0])
    chosen, rejected = answer(row[chosen_key], chosen_key), answer(row[rejected_key], rejected_key)
    prompt, used = asked(row)
    if not prompt:
        shared = 0
        while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
            shared += 1
        prompt, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
    if not any(one["content"].strip() for one in prompt):
        raise BadRow("missing_field", PROMPT[0])
    if chosen == rejected:
        raise BadRow("same_pair", chosen_key)
    extra = leftovers(row, chosen_key, rejected_key, *used, "id")
    return {"id": identity(row), "prompt": prompt, "chosen": chosen, "rejected": rejected, "extra": extra}


def asked(row: Row) -> tuple[list[Message], list[str | None]]:
    """What the answers answer, and the fields it came from."""
    key = first_field(row, CONVERSATION)
    if key is not None and row[key]:
        return turns(row[key], key), [key, "system"]
    key = first_field(row, PROMPT)
    if key is None:
        return [], []
    if isinstance(row[key], list):
        return turns(row[key], key), [key]
    context = text_of(row, ("input",), required=False)
    text = text_of(row, PROMPT)
    system = text_of(row, ("system",), required=False)
    messages = [{"role": "system", "content": system}] if system.strip() else []
    return [*messages, {"role": "user", "content": f"{text}\n\n{context}" if context.strip() else text}], [
        key,
        "input",
        "system",
    ]


def turns(value: Any, name: str) -> list[Message]:
    sharegpt = isinstance(value, list) and bool(value) and is_turn(value[0], "from", "value")
    return conversation(value, name, *(("from", "value") if sharegpt else ("role", "content")))


def answer(value: Any, name: str) -> list[Message]:
    if isinstance(value, str):
        messages = [{"role": "assistant", "content": value}]
    elif isinstance(value, dict):
        keys = ("from", "value") if "from" in value else ("role", "content")
        messages = [message(value, name, *keys)]
    else:
        messages = turns(value, name)
    if not messages[-1]["content"].strip():
        raise BadRow("empty_field", name)
    return messages


formats.add(
    "preference",
    Format(_("Preference pairs"), "preference", "prompt, chosen, rejected", 10, recognises, normalise),
)
