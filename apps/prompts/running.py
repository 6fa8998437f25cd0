"""Let a deployment answer rendered messages: the test bench, the API's test and the chat page."""

import time
from collections.abc import AsyncIterator
from typing import Any

from django.utils.translation import gettext_noop as _

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.lms.models import Deployment
from apps.lms.services.asking import ask, ask_stream


def request_body(deployment: Deployment | None, messages: list[dict], settings: dict) -> dict[str, Any]:
    """An OpenAI chat request. Raises InvalidInput when there is nobody to answer."""
    if deployment is None:
        raise InvalidInput(
            _("This prompt names no deployment, so nothing can answer."),
            hint=_("Choose a deployment."),
            errors=[{"field": "deployment", "message": "missing"}],
        )
    return {"model": deployment.name, "messages": messages, **settings}


def answer(project: Project, deployment: Deployment | None, messages: list[dict], settings: dict) -> dict[str, Any]:
    """{"text", "usage", "response_id", "duration_ms"}. Raises what the gateway says against it."""
    start = time.monotonic()
    found = ask(project, request_body(deployment, messages, settings))
    return {
        "text": found["choices"][0]["message"]["content"] or "",
        "usage": found.get("usage") or {},
        "response_id": found.get("id", ""),
        "duration_ms": round((time.monotonic() - start) * 1000, 1),
    }


async def stream(project: Project, body: dict[str, Any]) -> AsyncIterator[bytes]:
    """OpenAI's events as they come. Raises what the gateway says against it before this returns; leaving the iterator
    cancels the answer."""
    context = ask_stream(project, body | {"stream_options": {"include_usage": True}})
    chunks = await context.__aenter__()

    async def passed_on() -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await context.__aexit__(None, None, None)

    return passed_on()
