"""Ask a deployment through the gateway in the name of a project, so that pages and prompts are routed, counted and
limited like everybody else."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext_noop as _

from apps.core import internal
from apps.core.errors import InvalidInput, LimitReached, NotFound, Unavailable
from apps.core.models import Project

CONNECT_S = 5.0
ANSWER_S = 300.0
REASONS = {
    "model_not_found": _("this model or prompt is not there any more."),
    "model_not_ready": _("no instance is ready yet; try again in a moment."),
    "instance_unavailable": _("its instance cannot answer at the moment."),
    "instance_died": _("its instance ended in the middle of this answer."),
    "prompts_unavailable": _("published prompts cannot be filled in at the moment."),
    "context_length_exceeded": _("the conversation and the answer are longer than the model can read."),
}
"""What the gateway says of a program's request, for somebody at a page."""
KINDS = {400: InvalidInput, 404: NotFound, 429: LimitReached}


def ask(project: Project, body: dict[str, Any]) -> dict[str, Any]:
    """One chat completion, not streamed. body: as OpenAI's. Raises what the gateway says against it."""
    try:
        with httpx.Client(**_options(project)) as client:
            response = client.post("/v1/chat/completions", json=body | {"stream": False})
    except httpx.HTTPError as error:
        raise _away(error) from error
    _check(response.status_code, response.content)
    answer: dict[str, Any] = response.json()
    return answer


@asynccontextmanager
async def ask_stream(project: Project, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes of a streamed chat completion (server-sent events). Leaving the block cancels the answer.

    Raises what the gateway says against it before the first byte.
    """
    try:
        async with httpx.AsyncClient(**_options(project)) as client:
            request = client.build_request("POST", "/v1/chat/completions", json=body | {"stream": True})
            response = await client.send(request, stream=True)
            try:
                if response.status_code != 200:
                    _check(response.status_code, await response.aread())
                yield response.aiter_raw()
            finally:
                await response.aclose()
    except httpx.HTTPError as error:
        raise _away(error) from error


def _options(project: Project) -> dict[str, Any]:
    token = internal.sign(settings.SECRET_KEY, str(project.pk))
    return {
        "base_url": settings.AIFS_GATEWAY_INTERNAL_URL or settings.AIFS_GATEWAY_URL,
        "headers": {internal.HEADER: token, "Accept-Language": get_language() or "en"},
        "timeout": httpx.Timeout(ANSWER_S, connect=CONNECT_S),
        "trust_env": False,
    }


def _check(status: int, content: bytes) -> None:
    if status == 200:
        return
    try:
        error = json.loads(content)["error"]
        message, code = str(error["message"]), str(error.get("code") or "")
    except (ValueError, KeyError, TypeError):
        message, code = f"HTTP {status}", ""
    kind = KINDS.get(status, Unavailable)
    if code in REASONS:
        raise kind(_("The model gave no answer: %(reason)s"), code=code, reason=REASONS[code])
    raise kind(_("The model gave no answer: %(error)s"), code=code or "model_failed", error=message)


def _away(error: Exception) -> Unavailable:
    return Unavailable(
        _("The gateway does not answer."), hint=_("It may be starting; try again in a moment."), error=str(error)[:200]
    )
