"""Serving HTTP so that a restart refuses nobody: on a socket that the parent holds, with a gentle end."""

import asyncio
import os
import socket

import uvicorn

from apps.core.readiness import announce_ready, settle

FD = "AIFS_LISTEN_FD"
"""Number of the listening socket that the parent opened; without one the server opens its own."""
FAREWELL_S = 1.0


class Server(uvicorn.Server):
    """Says when it accepts connections. At the end it takes no new ones, and asks the clients of open ones to come back
    on another before it closes any: a request that is on its way meanwhile is still answered."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            settle()
            announce_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        until = asyncio.get_running_loop().time() + FAREWELL_S
        while self.server_state.connections and not self.force_exit and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets or inherited())


def inherited() -> list[socket.socket] | None:
    """The parent's listening socket, if it gave one; our children do not get it."""
    number = os.environ.pop(FD, "")
    if not number:
        return None
    listener = socket.socket(fileno=int(number))
    listener.set_inheritable(False)
    return [listener]
