"""Question and answer in two columns, under any of their usual names."""

from workers.datasets.base import Format, Row, first_field, formats, identity, leftovers, text_of
from workers.datasets.conversations import exchange
from workers.words import marked as _

QUESTION = ("prompt", "question", "query", "问题", "提问", "问")
ANSWER = ("completion", "response", "answer", "output", "答案", "回答", "答")
SYSTEM = ("system", "system_prompt", "系统提示")


def recognises(row: Row) -> bool:
    question, answer = first_field(row, QUESTION), first_field(row, ANSWER)
    return question is not None and answer is not None and all(isinstance(row[key], str) for key in (question, answer))


def normalise(row: Row) -> Row:
    used = [first_field(row, names) for names in (QUESTION, ANSWER, SYSTEM, ("id",))]
    return {
        "id": identity(row),
        "messages": exchange(text_of(row, QUESTION), text_of(row, ANSWER), text_of(row, SYSTEM, required=False)),
        "extra": leftovers(row, *used),
    }


formats.add("pairs", Format(_("Question and answer"), "messages", "question, answer", 60, recognises, normalise))
