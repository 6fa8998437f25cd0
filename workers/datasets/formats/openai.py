"""OpenAI messages: role and content."""

from workers.datasets.base import BadRow, Format, Row, formats, identity, leftovers
from workers.datasets.conversations import answered, conversation, is_conversation
from workers.words import marked as _

FIELDS = ("messages", "conversations", "conversation", "dialogue")


def field(row: Row) -> str | None:
    return next((name for name in FIELDS if is_conversation(row.get(name), "role", "content")), None)


def recognises(row: Row) -> bool:
    return field(row) is not None


def normalise(row: Row) -> Row:
    name = field(row) or next((name for name in FIELDS if name in row), None)
    if name is None:
        raise BadRow("missing_field", FIELDS[0])
    return {
        "id": identity(row),
        "messages": answered(conversation(row[name], name), name),
        "extra": leftovers(row, name, "id"),
    }


formats.add("openai", Format(_("OpenAI messages"), "messages", "messages [{role, content}]", 40, recognises, normalise))
