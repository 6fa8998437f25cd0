"""Requests that are too large, too many or too slow, against the real web process and the real gateway: refused with a
4xx or a closed connection, without growing by 64 MB."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from aifs.embedded.ports import free_port
from tests.attacks.furnished import Furnished, furnish
from tests.lms.serving import database_url
from tests.servers import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
GROWTH_BYTES = 64 << 20
PARTS = {"web": ["-m", "aifs.web"], "gateway": ["-m", "apps.lms.gateway"]}
HEALTH = {"web": "/health/live", "gateway": "/v2/health/live"}
JSON_ROUTE = {"web": "/api/v1/datasets/", "gateway": "/v1/feedback"}


@dataclass
class Server:
    """A process of ours, its memory before the attack, and a key that it knows."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    place: Furnished
    temporary: Path
    before: int = 0

    @property
    def memory(self) -> int:
        """Resident bytes of the process and its children."""
        parent = psutil.Process(self.process.pid)
        return sum(one.memory_info().rss for one in [parent, *parent.children(recursive=True)])

    @property
    def key(self) -> str:
        return self.place.house.key("owner")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)

    def well(self) -> bool:
        with self.client() as client:
            return client.get(HEALTH[self.name]).status_code == 200

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def head(self, *lines: str, method: str = "POST") -> bytes:
        """The beginning of a request for the route that takes JSON, without the empty line at its end."""
        start = f"{method} {JSON_ROUTE[self.name]} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        rights = f"Authorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
        return (start + rights + "".join(f"{line}\r\n" for line in lines)).encode()


@pytest.fixture(params=list(PARTS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    place, port, temporary = furnish(), free_port(), tmp_path / "temporary"
    place.house.key("owner")
    temporary.mkdir()
    environment = os.environ | {
        "DATABASE_URL": database_url(), "AIFS_HOME": str(tmp_path / "home"), "TMPDIR": str(temporary),
        "AIFS_PORT": str(port), "AIFS_GATEWAY_PORT": str(port), "SKIP_CHECKS": "1",
    }  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *PARTS[request.param]], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    server = Server(request.param, port, process, place, temporary)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError, httpx.HTTPError):
                if server.well():
                    break
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        with server.client() as client:  # what is loaded at the first real request is no growth
            client.post(JSON_ROUTE[server.name], json={}, headers={"Authorization": f"Bearer {server.key}"})
        server.before = server.memory
        yield server
    finally:
        process.terminate()
        process.wait(20)


def answer_to(connection: socket.socket, parts: Iterator[bytes], most: int) -> tuple[bytes, int]:
    """Send until the other side answers or closes. Returns what it said and how much it took."""
    sent, said = 0, b""
    connection.setblocking(False)
    until = time.monotonic() + 60
    pending = b""
    while time.monotonic() < until and sent < most:
        try:
            pending = pending or next(parts, b"")
            if pending:
                taken = connection.send(pending)
                sent, pending = sent + taken, pending[taken:]
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            break
        try:
            part = connection.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            break
        said += part
        if said or not part:
            break
    connection.close()
    return said, sent


def refused(said: bytes, *statuses: bytes) -> bool:
    """Closed without a word, or one of these."""
    return not said or said.split(b" ", 2)[1] in statuses


def endless(part: bytes) -> Iterator[bytes]:
    while True:
        yield part


def test_too_much_is_refused_without_growing(server: Server) -> None:
    million = (b"".join(b"x-%d: y\r\n" % number for number in range(at, at + 1000)) for at in range(0, 1_000_000, 1000))
    said, sent = answer_to(server.connect(), iter([server.head(), *million]), 64 << 20)
    assert refused(said, b"400", b"431"), said[:200]
    assert sent < 8 << 20  # most of it lies in the buffers of the sockets
    for start in (server.head("x-long: ")[:-2], b"GET /"):  # one header, or an address, that does not end
        said, sent = answer_to(server.connect(), (part for part in [start, *[b"x" * 65536] * 1000]), 64 << 20)
        assert refused(said, b"400", b"414", b"431"), said[:200]
        assert sent < 8 << 20

    said, _sent = answer_to(server.connect(), iter([server.head(f"Content-Length: {1 << 30}", "")]), 1 << 30)
    assert said.split(b" ", 2)[1] == b"413"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    head = server.head("Transfer-Encoding: chunked", "")
    parts = (part for source in ([head], endless(chunk)) for part in source)
    said, sent = answer_to(server.connect(), parts, 1 << 30)
    assert refused(said, b"413"), said[:200]
    assert sent < 64 << 20

    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wide = b'{"a": [' + b"1," * 3_000_000 + b"1]}"
    for body in (deep, wide):
        said, _sent = answer_to(
            server.connect(), iter([server.head(f"Content-Length: {len(body)}", "") + body]), 1 << 30
        )
        assert said.split(b" ", 2)[1] == b"400", said[:200]
    assert server.well()
    assert server.memory - server.before < GROWTH_BYTES


@pytest.mark.fault
def test_slow_connections_are_closed_and_others_served(server: Server) -> None:
    """Slowloris: a letter now and then, headers that never end."""
    slow = [server.connect() for _number in range(200)]
    started, worst, closed = time.monotonic(), 0.0, 0
    for connection in slow:
        connection.sendall(server.head())
        connection.setblocking(False)
    while time.monotonic() - started < 25 and slow:
        for connection in list(slow):
            try:
                connection.send(b"x: y\r\n")
                gone = connection.recv(1000) == b""
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                closed += 1
                slow.remove(connection)
                connection.close()
        asked = time.monotonic()
        assert server.well()
        worst = max(worst, time.monotonic() - asked)
        time.sleep(0.5)
    assert not slow, f"{len(slow)} are still open, {closed} closed"
    assert worst < 2
    assert server.memory - server.before < GROWTH_BYTES


def test_nobody_unknown_fills_the_disk(server: Server) -> None:
    """A gigabyte of a form, announced or not, to a page or to the uploads: it is not even stored for a while."""
    if server.name != "web":
        return
    paths = (
        "/",
        "/account/login/",
        "/api/v1/uploads/",
        f"/p/{server.place.house.project.slug}/data/import/",
        "/nowhere",
    )
    for path in paths:
        for kind in ("multipart/form-data; boundary=b", "application/offset+octet-stream", "text/plain"):
            for length in (f"Content-Length: {1 << 30}", "Transfer-Encoding: chunked"):
                start = (
                    f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
                )
                part = b"x" * 65536 if "Length" in length else b"10000\r\n" + b"x" * 65536 + b"\r\n"
                parts = (part for source in ([start.encode()], endless(part)) for part in source)
                said, sent = answer_to(server.connect(), parts, 1 << 30)
                assert refused(said, b"413"), (path, kind, length, said[:200])
                assert sent < 64 << 20
    assert sum(path.stat().st_size for path in server.temporary.rglob("*") if path.is_file()) < 1 << 20
    assert server.memory - server.before < GROWTH_BYTES


def test_a_member_sends_large_files_and_others_do_not(server: Server) -> None:
    if server.name != "web":
        return
    body = b"x" * (20 << 20)
    key = {"Authorization": f"Bearer {server.key}"}
    with server.client() as client:
        about = {"Upload-Length": str(len(body)), "Upload-Metadata": "filename eC5qc29ubA==", "Tus-Resumable": "1.0.0"}
        made = client.post("/api/v1/uploads/", headers=key | about)
        assert made.status_code == 201, made.text
        headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        wrong = client.patch(
            made.headers["Location"], content=body, headers=headers | {"Authorization": "Bearer wrong"}
        )
        assert wrong.status_code == 413
        assert client.patch(made.headers["Location"], content=body, headers=headers | key).status_code == 204
        large = client.post(
            "/api/v1/datasets/",
            content=json.dumps({"a": "x" * (9 << 20)}),
            headers=key | {"Content-Type": "application/json"},
        )
        assert large.status_code == 413
    assert tempfile.gettempdir() != str(server.temporary)
