"""A browser's question passes through the web process and the gateway to an engine, and comes back as it is written."""

import asyncio
import json
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.urls import reverse

from apps.lms.models import Usage
from tests.factories import House
from tests.lms.serving import Gateway, make_deployment
from tests.workers.instances import Engine, until

ASK = {"model": "helper", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "stream": True}


def ask(house: House, body: dict[str, Any], leave_early: bool = False) -> tuple[int, str]:
    async def talk() -> tuple[int, str]:
        client = AsyncClient()
        await client.aforce_login(house.viewer, backend="django.contrib.auth.backends.ModelBackend")
        address = reverse("lms:playground_ask", args=[house.project.slug])
        answer = await client.post(address, json.dumps(body), content_type="application/json")
        if not answer.streaming:
            return answer.status_code, answer.content.decode()
        text = ""
        stream = answer.streaming_content
        async for part in stream:
            text += part.decode()
            if leave_early:
                await stream.aclose()
                break
        return answer.status_code, text

    async def talk_and_hang_up() -> tuple[int, str]:
        try:
            return await talk()
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(talk_and_hang_up())


def test_answer_is_streamed_and_counted(
    committed_house: House, engine: Engine, gateway: Gateway, settings: Any
) -> None:
    settings.AIFS_GATEWAY_URL = gateway.url
    make_deployment(committed_house.project, engines=[engine])
    status, text = ask(committed_house, ASK | {"stream_options": {"include_usage": True}})
    assert status == 200
    assert text.endswith("data: [DONE]\n\n")
    assert '"usage": {' in text
    row = until(lambda: Usage.objects.first())
    assert (row.api_key, row.project) == (None, committed_house.project)


def test_what_the_gateway_refuses_is_a_problem(
    committed_house: House, engine: Engine, gateway: Gateway, settings: Any
) -> None:
    settings.AIFS_GATEWAY_URL = gateway.url
    make_deployment(committed_house.project, engines=[engine])
    status, text = ask(committed_house, ASK | {"model": "nobody"})
    assert status == 404
    assert json.loads(text)["code"] == "model_not_found"
    status, text = ask(committed_house, ASK | {"max_tokens": -1})
    assert status == 400
    assert "max_tokens" in json.loads(text)["detail"]
