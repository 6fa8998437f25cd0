"""What can go wrong, as exceptions. The server sends problem documents (RFC 9457) with a stable `code`."""

from typing import Any, ClassVar

import httpx


class AifsError(Exception):
    """status: of the HTTP answer, 0 when there was none. code: stable name. hint: what to do next. data: details."""

    status: ClassVar[int] = 0

    def __init__(
        self, message: str, *, code: str = "error", hint: str = "", data: dict[str, Any] | None = None, status: int = 0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.data = data or {}
        self.answered = status

    def __str__(self) -> str:
        problems = [problem for problem in self.data.get("errors", []) if isinstance(problem, dict)]
        fields = [f"{problem.get('field', '')}: {problem.get('message', '')}" for problem in problems]
        said = fields and self.message in (fields[0], problems[0].get("message"))  # the message is the first of them
        lines = fields if said else [self.message, *fields]
        return "\n".join([lines[0], *(f"  {line}" for line in lines[1:]), *([self.hint] if self.hint else [])])


class InvalidInput(AifsError):
    status = 400


class NotSignedIn(AifsError):
    """The key is missing, unknown, expired or revoked."""

    status = 401


class NotAllowed(AifsError):
    status = 403


class NotFound(AifsError):
    status = 404


class Conflict(AifsError):
    status = 409


class LimitReached(AifsError):
    status = 429


class Unavailable(AifsError):
    """Ask again later; `retry_after_s` says when, if the server knows."""

    status = 503
    retry_after_s: float | None = None


class ConnectionFailed(AifsError):
    """Nothing answers at the address."""


class JobFailed(AifsError):
    """The job ended as failed or cancelled; `job` is its last known state."""

    def __init__(self, message: str, *, job: dict[str, Any], **fields: Any) -> None:
        super().__init__(message, **fields)
        self.job = job


KINDS: dict[int, type[AifsError]] = {
    kind.status: kind for kind in (InvalidInput, NotSignedIn, NotAllowed, NotFound, Conflict, LimitReached, Unavailable)
}


def from_response(response: httpx.Response) -> AifsError:
    """The exception for an answer that is no success. The body must have been read."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    if isinstance(body.get("error"), dict):  # the OpenAI shape, which the gateway speaks
        inner = body["error"]
        body = {
            "detail": inner.get("message"),
            "code": inner.get("code") or inner.get("type"),
            "data": inner.get("data") or {},
        }
    message = body.get("detail") or body.get("title") or f"The server answered {response.status_code}."
    kind = KINDS.get(response.status_code, InvalidInput if 400 <= response.status_code < 500 else AifsError)
    error = kind(
        str(message),
        code=str(body.get("code") or response.status_code),
        hint=str(body.get("hint") or ""),
        data=body.get("data") if isinstance(body.get("data"), dict) else {},
        status=response.status_code,
    )
    if isinstance(error, Unavailable):
        after = response.headers.get("retry-after", "")
        error.retry_after_s = float(after) if after.replace(".", "", 1).isdigit() else None
    return error
