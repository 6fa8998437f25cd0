"""A WebSocket client in the process of the test."""

import asyncio
import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Socket(ApplicationCommunicator):
    """connect → (accepted, close code); receive → a message; close."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        path, _mark, query = path.partition("?")
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": [],
        }
        super().__init__(application, scope)

    async def connect(self) -> tuple[bool, int | None]:
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(20)
        return answer["type"] == "websocket.accept", answer.get("code")

    async def receive(self) -> Any:
        return json.loads((await self.receive_output(20))["text"])

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        done, _running = await asyncio.wait({self.future}, timeout=5)
        assert done, "it goes on although the client has left"
