"""Conversations in their normal form: a list of {"role", "content"} with roles system, user, assistant and tool."""

import json
from typing import Any

from workers.datasets.base import BadRow

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
"""Names of speakers as files use them → the normal one."""
Message = dict[str, str]


def is_turn(value: Any, role: str, content: str) -> bool:
    return isinstance(value, dict) and role in value and content in value


def is_conversation(value: Any, role: str, content: str) -> bool:
    return isinstance(value, list) and bool(value) and is_turn(value[0], role, content)


def conversation(turns: Any, name: str, role: str = "role", content: str = "content") -> list[Message]:
    """Normal messages. name: of the field, for errors; role, content: the keys its turns use. Raises BadRow."""
    if not isinstance(turns, list):
        raise BadRow("wrong_type", f"{name}: {type(turns).__name__}")
    if not turns:
        raise BadRow("empty_field", name)
    return [message(turn, f"{name}[{index}]", role, content) for index, turn in enumerate(turns)]


def message(turn: Any, name: str, role: str = "role", content: str = "content") -> Message:
    if not isinstance(turn, dict):
        raise BadRow("wrong_type", f"{name}: {type(turn).__name__}")
    for key in (role, content):
        if key not in turn and not (key == content and "tool_calls" in turn):
            raise BadRow("missing_field", f"{name}.{key}")
    speaker = turn[role]
    if not isinstance(speaker, str) or speaker.strip().lower() not in ROLES:
        raise BadRow("bad_role", f"{name}: {str(speaker)[:60]}")
    return {"role": ROLES[speaker.strip().lower()], "content": spoken(turn, f"{name}.{content}", content)}


def spoken(turn: dict[str, Any], name: str, content: str) -> str:
    """The text of a turn: a string, a list of text parts, or tool calls written as JSON."""
    value = turn.get(content)
    if value is None and turn.get("tool_calls"):
        return json.dumps(turn["tool_calls"], ensure_ascii=False)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        parts = [part.get("text", part.get("value")) for part in value]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
    raise BadRow("wrong_type", f"{name}: {type(value).__name__}")


def answered(messages: list[Message], name: str = "messages") -> list[Message]:
    """The messages, when somebody asks and the last answer says something. Raises BadRow."""
    answers = [one for one in messages if one["role"] == "assistant"]
    if not answers:
        raise BadRow("no_answer", name)
    if not any(one["content"].strip() for one in answers):
        raise BadRow("empty_field", f"{name}: assistant")
    if not any(one["content"].strip() for one in messages if one["role"] in ("user", "tool")):
        raise BadRow("empty_field", f"{name}: user")
    return messages


def exchange(question: str, answer: str, system: str = "", history: Any = None) -> list[Message]:
    """One question and its answer. history: earlier [question, answer] pairs."""
    messages = [{"role": "system", "content": system}] if system.strip() else []
    for index, pair in enumerate(history or []):
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise BadRow("wrong_type", f"history[{index}]")
        messages += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return [*messages, {"role": "user", "content": question}, {"role": "assistant", "content": answer}]
