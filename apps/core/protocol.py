"""uvicorn's HTTP protocol with bounds on headers: how many bytes, and how long they may take to arrive. For the web
process and for the gateway."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_MAX_BYTES = 64 << 10
HEADERS_WITHIN_S = 15.0


class Bounded(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`."""

    max_bytes, within_s = HEADERS_MAX_BYTES, HEADERS_WITHIN_S
    _seen = 0
    _header_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._timer is not None:  # headers are not complete
            self._seen += len(data)
            if self._seen > 8 * self.max_bytes:  # a single endless header never comes to on_header
                self.send_400_response("The request is too large.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        self._wait()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.max_bytes:
            raise ValueError("headers are too large")  # the parser turns it into a 400

    def _wait(self) -> None:
        self._stop_waiting()
        self._seen = 0
        self._timer = self.loop.call_later(self.within_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()


def bounded(max_bytes: int, within_s: float) -> type[Bounded]:
    """Other bounds, as a class: uvicorn makes its protocols itself."""
    return type("Bounded", (Bounded,), {"max_bytes": max_bytes, "within_s": within_s})
