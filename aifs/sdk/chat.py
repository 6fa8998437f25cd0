"""Talking to models through the gateway, with streaming. Any OpenAI client does as well."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from aifs.sdk.errors import AifsError, ConnectionFailed, Unavailable, from_response

if TYPE_CHECKING:
    from aifs.sdk.client import Client

TIMEOUT_S = 300.0


@dataclass
class Answer:
    """text: what the model said. ttft_ms: until the first piece, None without streaming. usage: tokens, as billed."""

    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    response_id: str = ""
    ttft_ms: float | None = None
    duration_ms: float = 0.0

    def summary(self) -> dict[str, Any]:
        """The object that `aifs chat … --json` prints."""
        return {
            "text": self.text,
            "usage": self.usage,
            "response_id": self.response_id,
            "ttft_ms": round(self.ttft_ms, 1) if self.ttft_ms is not None else None,
        }

    @property
    def tokens_per_s(self) -> float | None:
        """Decoding speed: tokens after the first, over the time after the first."""
        tokens = int(self.usage.get("completion_tokens") or 0)
        if self.ttft_ms is None or tokens < 2 or self.duration_ms <= self.ttft_ms:
            return None
        return (tokens - 1) / ((self.duration_ms - self.ttft_ms) / 1000)


class Gateway:
    """The port where models answer."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._url = client.access.gateway_url

    @property
    def url(self) -> str:
        """Without `/v1`. Raises AifsError when nobody knows it."""
        if not self._url:
            for deployment in self._client.deployments.list(limit=1):
                self._url = str(deployment["base_url"]).removesuffix("/").removesuffix("/v1")
                break
        if not self._url:
            raise AifsError("The address of the gateway is not known.", code="no_gateway", hint="Set AIFS_GATEWAY_URL.")
        return self._url

    def models(self) -> list[str]:
        """Names that can be asked: deployments and published prompts."""
        answer = self._call("GET", "/v1/models", None)
        return [model["id"] for model in answer["data"]]

    def chat(
        self,
        name: str,
        text: str | list[dict[str, Any]],
        *,
        stream: bool = True,
        told: Callable[[str], None] | None = None,
        **arguments: Any,
    ) -> Answer:
        """Ask a model. text: one question, or a whole conversation. told: called with every piece as it comes.

        arguments: of the OpenAI call (temperature, max_tokens …). Raises NotFound for an unknown model.
        """
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
        body = {"model": name, "messages": messages, **arguments}
        start = time.monotonic()
        if not stream:
            answer = self._call("POST", "/v1/chat/completions", body)
            return Answer(
                text=answer["choices"][0]["message"]["content"] or "",
                usage=answer.get("usage") or {},
                response_id=answer.get("id", ""),
                duration_ms=(time.monotonic() - start) * 1000,
            )
        return self._stream({**body, "stream": True, "stream_options": {"include_usage": True}}, start, told)

    def run_prompt(self, service: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Call a published prompt by its own route. Raises InvalidInput naming a missing variable."""
        answer: dict[str, Any] = self._call("POST", f"/v1/prompts/{service}/run", {"inputs": inputs})
        return answer

    def _stream(self, body: dict[str, Any], start: float, told: Callable[[str], None] | None) -> Answer:
        answer = Answer()
        pieces = []
        try:
            with self._client.http.stream(
                "POST", f"{self.url}/v1/chat/completions", json=body, timeout=TIMEOUT_S
            ) as response:
                if not response.is_success:
                    response.read()
                    raise from_response(response)
                for line in response.iter_lines():
                    chunk = _chunk(line)
                    if chunk is None:
                        continue
                    answer.response_id = chunk.get("id") or answer.response_id
                    answer.usage = chunk.get("usage") or answer.usage
                    piece = "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", []))
                    if piece:
                        if answer.ttft_ms is None:
                            answer.ttft_ms = (time.monotonic() - start) * 1000
                        pieces.append(piece)
                        if told:
                            told(piece)
        except httpx.TransportError as error:
            raise ConnectionFailed(f"The gateway broke off: {error}", code="no_connection") from error
        answer.text = "".join(pieces)
        answer.duration_ms = (time.monotonic() - start) * 1000
        return answer

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            response = self._client.http.request(method, f"{self.url}{path}", json=body, timeout=TIMEOUT_S)
        except httpx.TransportError as error:
            raise ConnectionFailed(f"The gateway does not answer: {error}", code="no_connection") from error
        if not response.is_success:
            raise from_response(response)
        return response.json()


def _chunk(line: str) -> dict[str, Any] | None:
    """One event of the stream. Raises Unavailable when the gateway says that it broke."""
    if not line.startswith("data:") or line[5:].strip() == "[DONE]":
        return None
    chunk: dict[str, Any] = json.loads(line[5:])
    if "error" in chunk:
        error = chunk["error"]
        raise Unavailable(str(error.get("message") or error), code=str(error.get("code") or "stream_error"))
    return chunk
