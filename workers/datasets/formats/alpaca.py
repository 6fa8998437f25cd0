"""Alpaca: instruction, optional input, output."""

from workers.datasets.base import Format, Row, first_field, formats, identity, leftovers, text_of
from workers.datasets.conversations import exchange
from workers.words import marked as _

INSTRUCTION = ("instruction", "指令")
INPUT = ("input", "输入")
OUTPUT = ("output", "response", "answer", "输出", "回答")
SYSTEM = ("system", "system_prompt", "系统提示")


def recognises(row: Row) -> bool:
    return first_field(row, INSTRUCTION) is not None and first_field(row, OUTPUT) is not None


def normalise(row: Row) -> Row:
    """Instruction and input become one question, an empty line between them."""
    instruction = text_of(row, INSTRUCTION)
    context = text_of(row, INPUT, required=False)
    question = f"{instruction}\n\n{context}" if context.strip() else instruction
    used = [first_field(row, names) for names in (INSTRUCTION, INPUT, OUTPUT, SYSTEM, ("history",), ("id",))]
    return {
        "id": identity(row),
        "messages": exchange(question, text_of(row, OUTPUT), text_of(row, SYSTEM, required=False), row.get("history")),
        "extra": leftovers(row, *used),
    }


formats.add(
    "alpaca", Format(_("Alpaca"), "messages", "instruction, input (optional), output", 50, recognises, normalise)
)
