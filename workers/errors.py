"""Errors that users cause or can act on; anything else is a bug.

`message` is a marked text (see `workers/words.py`) with `%(name)s` places; `data` fills them. Both travel apart, so
that the web can show the message in the reader's language.
"""

from typing import Any, ClassVar

from workers.words import marked as _


class AifsError(Exception):
    """An expected error: a stable code, a message for a business expert, what to do next, and data for the client."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", code: str = "", **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data
        if code:
            self.code = code  # type: ignore[misc]

    def __str__(self) -> str:
        try:
            return self.message % self.data if self.data else self.message
        except (KeyError, TypeError, ValueError):
            return self.message

    def as_event(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint, "data": self.data}


class InvalidInput(AifsError):
    status, code = 400, "invalid_input"


class NotAllowed(AifsError):
    status, code = 403, "not_allowed"


class NotFound(AifsError):
    status, code = 404, "not_found"


class Conflict(AifsError):
    status, code = 409, "conflict"


class LimitReached(AifsError):
    status, code = 429, "limit_reached"


class Unavailable(AifsError):
    status, code = 503, "unavailable"


class DiskFull(AifsError):
    """No space is left where something had to be written."""

    status, code = 507, "disk_full"

    def __init__(self, **data: Any) -> None:
        super().__init__(
            _("The disk is full."),
            hint=_("Nothing is half written. Try again once there is space."),
            **data,
        )


class OutOfMemory(AifsError):
    """The run needed more memory than it was given."""

    status, code = 507, "out_of_memory"

    def __init__(self, **data: Any) -> None:
        super().__init__(
            _("The run needed more memory than the machine could give."),
            hint=_("Use a smaller batch, a shorter sequence length, LoRA instead of full tuning, or a smaller model."),
            **data,
        )
