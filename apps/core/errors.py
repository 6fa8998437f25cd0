"""Errors that people cause or can act on (the names of `workers/errors.py`), and how they are shown."""

from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext

from workers.errors import (
    AifsError,
    Conflict,
    DiskFull,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    OutOfMemory,
    Unavailable,
)

__all__ = [
    "AifsError",
    "Conflict",
    "DiskFull",
    "InvalidInput",
    "LimitReached",
    "NotAllowed",
    "NotFound",
    "OutOfMemory",
    "Unavailable",
    "field_problems",
    "problem",
    "translate",
]


def translate(text: str, data: dict[str, Any] | None = None) -> str:
    """A marked text in the reader's language with its places filled. A place without data leaves the text as it is;
    what fills `%(reason)s` is itself a marked text."""
    words = gettext(text) if text else ""
    if data and data.get("reason") and isinstance(data["reason"], str):
        data = {**data, "reason": gettext(data["reason"])}
    try:
        return words % data if data and "%(" in words else words
    except (KeyError, TypeError, ValueError):
        return words


def field_problems(error: AifsError) -> list[dict[str, Any]]:
    """The wrong fields of an error (its `data["errors"]`, else the error itself, of no field), each message in the
    reader's language."""
    rows = error.data.get("errors") or [{"field": "", "message": error.message, "data": error.data}]
    return [{**row, "message": translate(row["message"], row.get("data"))} for row in rows]


def problem(error: AifsError) -> dict[str, Any]:
    """The error as an RFC 9457 problem document: `code` is stable, `detail` and `hint` are in the reader's language."""
    return {
        "type": f"urn:aifs:error:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": translate(error.message, error.data),
        "hint": translate(error.hint, error.data),
        "data": error.data | {"errors": field_problems(error)} if "errors" in error.data else error.data,
    }
