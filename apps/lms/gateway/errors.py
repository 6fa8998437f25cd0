"""Errors as OpenAI's clients expect them."""

from typing import Any

from apps.lms.gateway.words import say
from workers.words import marked as _


class Refusal(Exception):
    """An answer that is an error: a stable code for programs, and a marked text for whoever reads it. data: fills the
    places of the text."""

    def __init__(
        self, status: int, code: str, message: str, *, param: str | None = None, retry_after_s: int = 0, **data: Any
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param, self.data = status, code, message, param, data
        self.retry_after_s = retry_after_s or (1 if status in (429, 503) else 0)

    def body(self, language: str = "en") -> dict[str, Any]:
        text = say(self.message, self.data, language)
        return {"error": {"message": text, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def type(self) -> str:
        named = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        return named.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")


def unauthorised() -> Refusal:
    return Refusal(401, "invalid_api_key", _("The API key is missing, unknown, revoked or expired."))


def unknown_model(name: object, known: list[str]) -> Refusal:
    text = _("There is no model “%(name)s” in this project. Known models: %(known)s.")
    if not known:
        text = _("There is no model “%(name)s” in this project, and no other yet.")
    return Refusal(404, "model_not_found", text, param="model", name=str(name)[:100], known=", ".join(known[:20]))


def not_ready(name: str) -> Refusal:
    text = _("No instance of “%(name)s” is ready. Try again shortly.")
    return Refusal(503, "model_not_ready", text, retry_after_s=2, name=name)
