"""Errors as OpenAI's clients expect them."""

from typing import Any


class Refusal(Exception):
    """An answer that is an error. Texts are English: they are for programs."""

    def __init__(
        self, status: int, code: str, message: str, *, param: str | None = None, retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry_after_s = retry_after_s or (1 if status in (429, 503) else 0)

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def type(self) -> str:
        named = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        return named.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")


def unauthorised() -> Refusal:
    return Refusal(401, "invalid_api_key", "The API key is missing, unknown, revoked or expired.")


def unknown_model(name: object, known: list[str]) -> Refusal:
    shown = ", ".join(known[:20]) or "none yet"
    text = f"There is no model {str(name)[:100]!r} in this project. Known models: {shown}."
    return Refusal(404, "model_not_found", text, param="model")


def not_ready(name: str) -> Refusal:
    return Refusal(503, "model_not_ready", f"No instance of {name!r} is ready. Try again shortly.", retry_after_s=2)
