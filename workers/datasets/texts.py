"""The texts of a normal row, whatever its form: read them, or replace each."""

from collections.abc import Callable
from typing import Any

from workers.datasets.base import Row

CONVERSATIONS = {"messages": ("messages",), "preference": ("prompt", "chosen", "rejected")}
ASIDE = ("id", "extra")
"""Columns beside the texts of a normal row; a table has none."""


def texts(row: Row, form: str, part: str = "all") -> list[str]:
    """Every text of a row; of a table every value, written out. part: `all`, `question` (what is asked) or `answer`."""
    if form in CONVERSATIONS:
        return [
            turn["content"]
            for column in CONVERSATIONS[form]
            for turn in row[column]
            if part == "all" or (turn["role"] == "assistant") == (part == "answer")
        ]
    if form == "choices":
        right = row["choices"][row["answer"]]
        return {"all": [row["question"], *row["choices"]], "question": [row["question"]], "answer": [right]}[part]
    if form == "table":
        return ["" if value is None else str(value) for value in row.values()]
    return [value for name, value in row.items() if isinstance(value, str) and name not in ASIDE]


def replace_texts(row: Row, form: str, change: Callable[[str], str]) -> Row:
    """The row with every text passed through `change`; the same object when nothing changed."""
    new = dict(row)
    for name, value in row.items():
        if name in CONVERSATIONS.get(form, ()):
            new[name] = [{**turn, "content": change(turn["content"])} for turn in value]
        elif form == "choices" and name == "choices":
            new[name] = [change(choice) for choice in value]
        elif isinstance(value, str) and (form == "table" or name not in ASIDE):
            new[name] = change(value)
    return row if new == row else new


def shown(row: Row, form: str, limit: int = 500) -> list[dict[str, Any]]:
    """A row for people: [{"label", "text"}], texts cut at `limit` characters, free of what a database refuses."""
    if form in CONVERSATIONS:
        parts = [
            {"label": turn["role"] if column in ("messages", "prompt") else column, "text": turn["content"]}
            for column in CONVERSATIONS[form]
            for turn in row[column]
        ]
    elif form == "choices":
        letters = [f"{chr(65 + index)}. {choice}" for index, choice in enumerate(row["choices"])]
        question = "\n".join([row["question"], *letters])
        parts = [{"label": "question", "text": question}, {"label": "answer", "text": chr(65 + row["answer"])}]
    else:
        known = {
            name: value for name, value in row.items() if value is not None and (form == "table" or name != "extra")
        }
        parts = [{"label": name, "text": str(value)} for name, value in known.items()]
    return [{"label": part["label"], "text": shortened(part["text"], limit)} for part in parts[:40]]


def shortened(text: str, limit: int) -> str:
    """The text without NUL characters, which PostgreSQL's JSON refuses, and with an ellipsis when it is cut."""
    text = text[: limit + 1].replace("\x00", "\u2400")
    return text if len(text) <= limit else text[:limit] + "…"
