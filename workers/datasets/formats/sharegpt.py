"""ShareGPT: conversations with from and value."""

from workers.datasets.base import BadRow, Format, Row, formats, identity, leftovers, text_of
from workers.datasets.conversations import answered, conversation, is_conversation
from workers.words import marked as _

FIELDS = ("conversations", "conversation", "messages")


def field(row: Row) -> str | None:
    return next((name for name in FIELDS if is_conversation(row.get(name), "from", "value")), None)


def recognises(row: Row) -> bool:
    return field(row) is not None


def normalise(row: Row) -> Row:
    name = field(row) or next((name for name in FIELDS if name in row), None)
    if name is None:
        raise BadRow("missing_field", FIELDS[0])
    messages = conversation(row[name], name, "from", "value")
    system = text_of(row, ("system",), required=False)
    if system.strip():
        messages.insert(0, {"role": "system", "content": system})
    return {
        "id": identity(row),
        "messages": answered(messages, name),
        "extra": leftovers(row, name, "system", "id"),
    }


formats.add("sharegpt", Format(_("ShareGPT"), "messages", "conversations [{from, value}]", 30, recognises, normalise))
