"""ChatML: a whole conversation in one text, with <|im_start|> and <|im_end|>."""

import re

from workers.datasets.base import BadRow, Format, Row, first_field, formats, identity, leftovers
from workers.datasets.conversations import ROLES, answered
from workers.words import marked as _

FIELDS = ("text", "chatml", "conversation", "content")
START = "<|im_start|>"
TURN = re.compile(r"<\|im_start\|>\s*(\w+)[ \t]*\n?(.*?)(?:<\|im_end\|>|(?=<\|im_start\|>)|\Z)", re.DOTALL)


def recognises(row: Row) -> bool:
    key = first_field(row, FIELDS)
    return key is not None and isinstance(row[key], str) and START in row[key]


def normalise(row: Row) -> Row:
    key = first_field(row, FIELDS)
    if key is None or not isinstance(row[key], str) or START not in row[key]:
        raise BadRow("missing_field", START)
    messages = []
    for role, content in TURN.findall(row[key]):
        if role.lower() not in ROLES:
            raise BadRow("bad_role", role)
        messages.append({"role": ROLES[role.lower()], "content": content.strip("\n")})
    if messages and messages[-1] == {"role": "assistant", "content": ""}:  # the open end of a generation prompt
        messages.pop()
    return {"id": identity(row), "messages": answered(messages, key), "extra": leftovers(row, key, "id")}


formats.add("chatml", Format(_("ChatML"), "messages", "text with <|im_start|>", 20, recognises, normalise))
