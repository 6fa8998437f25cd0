"""Multiple choice: a question, its choices, the right one (MMLU, C-Eval, CMMLU and the like)."""

import string
from typing import Any

from workers.datasets.base import BadRow, Format, Row, as_json, first_field, formats, identity, leftovers, text_of
from workers.words import marked as _

QUESTION = ("question", "问题", "题目")
CHOICES = ("choices", "options", "选项")
ANSWER = ("answer", "label", "target", "答案")
SUBJECT = ("subject", "category", "科目", "学科")
LETTERS = string.ascii_lowercase[:10]


def recognises(row: Row) -> bool:
    if first_field(row, QUESTION) is None or first_field(row, ANSWER) is None:
        return False
    key = first_field(row, CHOICES)
    return (key is not None and isinstance(row[key], list | dict)) or all(first_field(row, (one,)) for one in "ab")


def normalise(row: Row) -> Row:
    question = text_of(row, QUESTION)
    choices, used = listed(row)
    answer_key = first_field(row, ANSWER)
    if answer_key is None:
        raise BadRow("missing_field", ANSWER[0])
    used += [first_field(row, names) for names in (QUESTION, ANSWER, SUBJECT, ("id",), ("index",))]
    return {
        "id": identity(row) or _text(row.get("index")),
        "question": question,
        "choices": choices,
        "answer": right_one(row[answer_key], choices, answer_key),
        "subject": text_of(row, SUBJECT, required=False),
        "extra": leftovers(row, *used),
    }


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def listed(row: Row) -> tuple[list[str], list[str | None]]:
    """The choices in order, and the fields they came from."""
    key = first_field(row, CHOICES)
    if key is not None:
        value = row[key]
        if isinstance(value, dict) and isinstance(value.get("text"), list):
            value = value["text"]  # as ARC has it: {"text": […], "label": […]}
        elif isinstance(value, dict):
            value = list(value.values())
        if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
            raise BadRow("wrong_type", f"{key}: {type(value).__name__}")
        return enough([str(one) for one in value]), [key]
    names = [name for letter in LETTERS if (name := first_field(row, (letter,))) is not None]
    choices = [text_of(row, (name.strip().lower(),), required=False) for name in names]
    while choices and not choices[-1].strip():  # a file for four choices may hold questions with three
        choices.pop()
    return enough(choices), [*names]


def enough(choices: list[str]) -> list[str]:
    if len(choices) < 2:
        raise BadRow("missing_field", "A, B")
    return choices


def right_one(value: Any, choices: list[str], name: str) -> int:
    """Index of the right choice: given as letter, as index from 0, or as the choice's own text."""
    text = str(value).strip()
    if isinstance(value, int) and not isinstance(value, bool):
        index = value
    elif len(text) == 1 and text.lower() in LETTERS:
        index = LETTERS.index(text.lower())
    elif text in choices:
        index = choices.index(text)
    else:
        index = int(text) if text.isdecimal() and len(text) < 3 else -1
    if not 0 <= index < len(choices):
        raise BadRow("bad_answer", f"{name}: {as_json(value)[:60]}")
    return index


formats.add(
    "choices",
    Format(_("Multiple choice"), "choices", "question, A–D or choices, answer", 15, recognises, normalise),
)
