"""A gateway of the tests: answers every chat with its last message, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HEADER = "X-AIFS-Internal"
Asked = list[tuple[dict[str, Any], str]]
"""(body, internal token) of every call."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((body, self.headers.get(HEADER)))  # type: ignore[attr-defined]
        last = body["messages"][-1]["content"]
        if last == "fail":
            self._send(404, "application/json", json.dumps({"error": {"message": "no model", "code": "x"}}))
        elif body["stream"]:
            chunks = [{"choices": [{"delta": {"content": part}}]} for part in ("You", f" said {last}")]
            self._send(200, "text/event-stream", "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks))
        else:
            usage = {"prompt_tokens": 7, "completion_tokens": 3}
            answer = {"id": "r1", "choices": [{"message": {"content": f"You said {last}"}}], "usage": usage}
            self._send(200, "application/json", json.dumps(answer))

    def _send(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@contextmanager
def running_gateway() -> Iterator[tuple[str, Asked]]:
    """Its address, and the calls as they come."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
