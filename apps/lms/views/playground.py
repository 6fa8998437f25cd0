"""Chat with what is deployed, in the browser."""

import json
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_POST

from apps.core.errors import AifsError, InvalidInput, problem
from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.parsing import read_object
from apps.lms import candidates, selectors
from apps.lms.services.asking import ask_stream

BODY_LIMIT = 4 << 20


@project_page()
def playground(request: HttpRequest, project: Project) -> HttpResponse:
    """`?model=` chooses the deployment."""
    deployments = selectors.list_deployments(request.actor).filter(project=project, wanted=True)  # type: ignore[attr-defined]
    rows = [selectors.describe(deployment) for deployment in deployments]
    names = [row["name"] for row in rows if row["state"] in {"ready", "degraded"}]
    ready = [{"value": name, "label": name, "deployment": name} for name in names]
    groups: list[dict[str, Any]] = [{"label": gettext("Deployments"), "options": ready}] if ready else []
    groups += candidates.groups(request.actor, project) if ready else []  # type: ignore[attr-defined]
    context = {
        "models": json.dumps(groups),
        "rates": json.dumps(selectors.rates(deployments)),
        "names": names,
        "chosen": request.GET.get("model", ""),
        "rows": rows,
    }
    return render(request, "lms/playground.html", context)


@require_POST
@project_page()
async def playground_ask(request: HttpRequest, project: Project) -> HttpResponse:
    """The gateway's stream, passed on as it comes; it ends when the browser leaves."""
    try:
        body = await sync_to_async(candidates.resolve)(request.actor, project, _body(request.body))  # type: ignore[attr-defined]
        context = ask_stream(project, body)
        chunks = await context.__aenter__()
    except AifsError as error:
        return HttpResponse(
            json.dumps(problem(error), default=str), status=error.status, content_type="application/problem+json"
        )

    async def passed_on() -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await context.__aexit__(None, None, None)

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(passed_on(), content_type="text/event-stream", headers=headers)


def _body(raw: bytes) -> dict[str, Any]:
    if len(raw) > BODY_LIMIT:
        raise InvalidInput(_("The conversation is too long."))
    return read_object(raw)
