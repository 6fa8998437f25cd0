"""A client that takes one byte a second of a stream that has begun to come."""

import contextlib
import http.client
import io
import json
import socket
import threading
import time
from typing import Any

from tests.faults.clients import ASK, TIMEOUT_S, Records, Stream
from tests.faults.history import Answer

BYTES_PER_S, WINDOW = 1, 2304


def ask_through_a_small_window(connection: socket.socket, url: str, key: str, body: dict[str, Any]) -> None:
    """Send a request for a stream; little of the answer leaves the gateway before it is read here."""
    host, _colon, port = url.removeprefix("http://").partition(":")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    connection.connect((host, int(port)))
    content = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {key}\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)


class SlowReader(threading.Thread):
    """slow_s: for so long. to_the_end: then it takes the rest at once, else it leaves. Its answer is in the records as
    any other client's. `beginning`: the stream came, and it reads slowly."""

    def __init__(
        self, url: str, key: str, model: str, records: Records, *, slow_s: float, to_the_end: bool, max_tokens: int = 60
    ) -> None:
        super().__init__(daemon=True)
        self.url, self.key, self.records = url, key, records
        self.body = {**ASK, "model": model, "max_tokens": max_tokens, "stream": True}
        self.body["stream_options"] = {"include_usage": True}
        self.slow_s, self.to_the_end = slow_s, to_the_end
        self.content = bytearray()
        self.beginning = threading.Event()
        self.seen = Stream()

    @property
    def status(self) -> int:
        head = bytes(self.content[:12]).split()
        return int(head[1]) if len(head) > 1 else 0

    def run(self) -> None:
        self.records.count()
        words = ""
        with contextlib.closing(socket.socket()) as connection:
            try:
                self._read(connection)
            except OSError as error:
                words = repr(error)
        self._write_down(words)

    def _read(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT_S)
        ask_through_a_small_window(connection, self.url, self.key, self.body)
        while b"data: {" not in self.content or not self.content.endswith(b"\n"):
            if not self._take(connection, 64):
                return
        self.beginning.set()
        until = time.monotonic() + self.slow_s
        while time.monotonic() < until and self._take(connection, 1):
            time.sleep(1 / BYTES_PER_S)
        while self.to_the_end and self._take(connection, 4096):
            pass

    def _take(self, connection: socket.socket, most: int) -> int:
        piece = connection.recv(most)
        self.content += piece
        return len(piece)

    def _write_down(self, words: str) -> None:
        for line in self.lines():
            self.seen.see(line)
        whole = self.seen.done and bool(self.seen.usage)
        with self.records.lock:
            if self.seen.id:
                tokens = int(self.seen.usage["completion_tokens"]) if whole else self.seen.pieces
                prompt = int(self.seen.usage["prompt_tokens"]) if whole else 0
                self.records.answers.append(Answer(self.seen.id, tokens, prompt, whole))
            elif self.status in (0, 200):
                self.records.broken += 1
        if self.status != 200 or (self.to_the_end and not whole):
            failed = 0 if self.status == 200 else self.status
            self.records.fail("slow reader", failed, words or json.dumps(self.seen.error))

    def lines(self) -> list[str]:
        """Whole lines of what came, without the framing of its pieces."""
        if self.status != 200:
            return []
        response = http.client.HTTPResponse(_Replay(bytes(self.content)))  # type: ignore[arg-type]
        lines = []
        with contextlib.suppress(http.client.HTTPException, ValueError):
            response.begin()
            while line := response.readline():
                if line.endswith(b"\n"):
                    lines.append(line.decode().rstrip("\r\n"))
        return lines


class _Replay:
    """What a socket has given already, for who reads sockets."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self.content))
