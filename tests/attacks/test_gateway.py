"""A hostile user of the gateway, and a hostile endpoint behind it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.lms.models import Deployment, Feedback, Usage
from apps.lms.services import create_deployment
from tests.factories import House
from tests.lms import serving
from tests.lms.serving import Gateway, make_deployment
from tests.workers.instances import Engine, until
from workers.errors import InvalidInput

ASK = {"model": "helper", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
CHAT = "/v1/chat/completions"


@pytest.fixture
def client(committed_house: House, gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client(committed_house.key("viewer")) as client:
        yield client


# --- the ledger


def test_a_score_is_a_modest_number(client: httpx.Client) -> None:
    for score in ("1" + "0" * 400, "1e308", "-1e308", "1e999", "true", "null", '"9"', "[]"):
        answer = client.post("/v1/feedback", content=f'{{"response_id": "chatcmpl-1", "score": {score}}}'.encode())
        assert answer.status_code == 400, score


def test_a_response_id_that_no_table_could_hold_is_refused(client: httpx.Client) -> None:
    for id in ("a\\u0000b", "\\ud800", "x" * 81, "", "a\\nb"):
        answer = client.post("/v1/feedback", content=f'{{"response_id": "{id}", "score": 1}}'.encode())
        assert answer.status_code == 400, id


def test_one_odd_line_keeps_back_no_other_bill(client: httpx.Client, gateway: Gateway) -> None:
    """Halves of surrogate pairs, NUL and numbers beyond the column: each once stopped all billing for good."""
    odd = client.post("/v1/feedback", content=b'{"response_id": "odd", "score": 1, "comment": "\\ud800 \\u0000 x"}')
    assert odd.status_code == 200
    until(lambda: Feedback.objects.filter(response_id="odd", comment="?  x").exists())
    spool = gateway.app.spool
    project = str(Usage._meta.get_field("project").related_model.objects.first().pk)
    line = {
        "response_id": "huge", "project": project, "api_key": None, "deployment": None, "model": "m",
        "prompt_tokens": 10**30, "cached_tokens": 0, "completion_tokens": 1, "ttft_ms": None, "duration_ms": 1.0,
        "status": 200, "at": time.time(),
    }  # fmt: skip
    spool.put("usage", line)
    spool.put("usage", line | {"response_id": "\ud800", "prompt_tokens": 1})
    spool.put("usage", line | {"response_id": "fine", "prompt_tokens": 7})
    until(lambda: Usage.objects.filter(response_id="fine", prompt_tokens=7).exists())
    until(lambda: spool.pending == 0)
    assert list(Usage.objects.values_list("response_id", flat=True)) == ["fine"]
    refused = [json.loads(text) for path in spool._folder.glob("refused/*") for text in path.read_text().splitlines()]
    assert [row["response_id"] for row in refused] == ["huge", "\ud800"]


# --- what a request may hold


def test_no_depth_of_nesting_is_our_error(client: httpx.Client, committed_house: House, engine: Engine) -> None:
    make_deployment(committed_house.project, engines=[engine])
    for depth in (50, 900, 940, 960, 970, 980, 990, 1000, 100_000):
        body = json.dumps(ASK)[:-1] + ', "metadata": ' + "[" * depth + "]" * depth + "}"
        assert client.post(CHAT, content=body.encode()).status_code in {200, 400}, depth


ODD_CHANGES: list[dict[str, Any]] = [
    {"max_tokens": -1},
    {"max_tokens": 10**30},
    {"max_tokens": "many"},
    {"temperature": 1e308},
    {"n": 10**9},
    {"stop": ["x"] * 10_000},
    {"stop": "\ud800"},
    {"seed": -(2**70)},
    {"messages": {"role": "user"}},
    {"messages": [None]},
    {"messages": [{"role": "user", "content": {"a": 1}}]},
    {"messages": [{"role": "user", "content": "\ud800\u0000"}]},
    {"messages": [{"role": "\ud800", "content": "x"}]},
    {"stream": "yes"},
    {"stream_options": "all"},
    {"model": ["helper"]},
    {"model": "\ud800"},
    {"model": "../helper"},
    {"logit_bias": {"a": "b"}},
    {"tools": [{}] * 100},
]
ODD_PATHS = (
    "/v1/models/../../etc/passwd", "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/v1/models/%252e%252e%252f",
    "/v1//models", "/v1/models/%00", "/v1/prompts/%2e%2e%2f%2e%2e%2finternal/run", "/V1/models",
    "/v1/models/" + "a" * 30_000,
)  # fmt: skip


def test_odd_requests_are_answered_or_refused_in_words(
    client: httpx.Client, committed_house: House, engine: Engine
) -> None:
    make_deployment(committed_house.project, engines=[engine])
    for change in ODD_CHANGES:
        for streamed in ({}, {"stream": True}):
            answer = client.post(CHAT, content=json.dumps({**ASK, **streamed, **change}).encode())
            assert answer.status_code in {200, 400, 404}, (str(change)[:60], answer.text)
        assert client.post(CHAT, json=ASK).status_code == 200, str(change)[:60]


def test_odd_paths_lead_nowhere(client: httpx.Client) -> None:
    for path in ODD_PATHS:
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            assert client.request(method, path, content=b"{}").status_code in {400, 404}, (method, path[:60])


# --- an endpoint elsewhere that means harm


class Hostile(BaseHTTPRequestHandler):
    """Answers with whatever the test wants; counts what it was asked."""

    protocol_version = "HTTP/1.1"
    status, headers_, body = 200, {}, b"{}"  # type: ignore[var-annotated]
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        for name, value in self.headers_.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.wfile.write(self.body)
        except OSError:
            return
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def hostile() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Hostile.asked = 0
    yield server
    server.shutdown()
    server.server_close()


def ask_hostile(house: House, tmp_path: Path, server: Any, **answer: Any) -> list[httpx.Response]:
    """The answers to a whole and a streamed request, with the endpoint allowed by the operator."""
    for name, value in {"status": 200, "headers_": {}, "body": b"{}", **answer}.items():
        setattr(Hostile, name, value)
    place = f"127.0.0.1:{server.server_port}"
    Deployment.objects.filter(name="outside").delete()
    make_deployment(house.project, "outside", runtime="openai", external_url=f"http://{place}", external_key="")
    gateway = serving.gateway(tmp_path / str(time.monotonic_ns()), private_hosts=frozenset({place})).start()
    try:
        with gateway.client(house.key("viewer")) as client:
            return [client.post(CHAT, json=ASK | {"model": "outside", "stream": stream}) for stream in (False, True)]
    finally:
        gateway.stop()


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_is_not_followed(committed_house: House, tmp_path: Path, hostile: Any, status: int) -> None:
    target = f"http://127.0.0.1:{hostile.server_port}/elsewhere"
    answers = ask_hostile(
        committed_house,
        tmp_path,
        hostile,
        status=status,
        headers_={"Location": target},
        body=b'{"error": {"message": "m"}}',
    )
    assert [answer.status_code for answer in answers] == [502, 502]
    assert all("location" not in answer.headers for answer in answers)
    assert Hostile.asked == 2


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"usage": "all", "choices": 3}',
        b'{"usage": {"prompt_tokens": 1' + b"0" * 30 + b', "completion_tokens": -5},'
        b' "choices": [{"message": {"content": "\\ud800"}}]}',
        b'data: {"choices": [3]}\n\ndata: [DONE]\n\n',
        b'data: {"choices": {"0": 1}}\n\n',
        b'data: {"choices": [{"delta": {"content": "\\ud800"}}]}\n\n'
        b'data: {"choices": [{"delta": "x"}], "usage": 7}\n\ndata: [DONE]\n\n',
        b'data: {"error": "\\ud800"}\n\n',
        b"data: " + b"x" * (9 << 20),
    ],
    ids=lambda body: body[:24].decode(),
)  # fmt: skip
def test_odd_answers_are_no_error_of_ours(
    committed_house: House,
    tmp_path: Path,
    hostile: Any,
    body: bytes,
    caplog: Any,
) -> None:
    for answer in ask_hostile(committed_house, tmp_path, hostile, body=body):
        assert answer.status_code in {200, 502, 503}
        assert "Internal error" not in answer.text
        answer.content.decode()
    assert "Traceback" not in caplog.text
    until(lambda: Usage.objects.count() == 2)
    assert all(0 <= row.prompt_tokens <= 2**31 - 1 for row in Usage.objects.all())


def test_an_endless_answer_is_given_up(committed_house: House, tmp_path: Path, hostile: Any) -> None:
    whole, streamed = ask_hostile(committed_house, tmp_path, hostile, body=b'{"a": "' + b"x" * (20 << 20))
    assert (whole.status_code, streamed.status_code) == (503, 503)


PRIVATE = [
    "http://127.0.0.1:1/v1", "http://localhost:1/v1", "http://[::1]:1/v1", "http://[::ffff:127.0.0.1]:1/",
    "http://2130706433:1/", "http://0x7f000001:1/", "http://0177.0.0.1:1/", "http://127.1:1/", "http://0.0.0.0:1/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/", "http://169.254.169.254/",
    "http://[fd00:ec2::254]/", "http://[fe80::1%25lo]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://224.0.0.1/", "http://user:pw@127.0.0.1/", "http://127.0.0.1#@example.com/", "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x", "ftp://127.0.0.1/", "//127.0.0.1/", "javascript:alert(1)", "http://", "http://\x00/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_an_address_that_is_not_public_is_no_deployment(house: House, url: str) -> None:
    with pytest.raises(InvalidInput):
        create_deployment(house.actor("engineer"), house.project, "x", runtime="openai", external_url=url)
    assert not Deployment.objects.exists()


def test_metadata_services_stay_closed_when_listed(committed_house: House, settings: Any) -> None:
    settings.AIFS_PRIVATE_HOSTS = ["169.254.169.254:80", "[fd00:ec2::254]:80", "100.100.100.200:80"]
    for pair in settings.AIFS_PRIVATE_HOSTS:
        with pytest.raises(InvalidInput):
            create_deployment(
                committed_house.actor("engineer"),
                committed_house.project,
                "x",
                runtime="openai",
                external_url=f"http://{pair}/",
            )


def test_a_name_that_answers_differently_the_second_time_leads_nowhere(
    committed_house: House, tmp_path: Path, hostile: Any, monkeypatch: Any
) -> None:
    """Rebinding: public when it is checked, loopback when it is connected to."""
    real, asked = socket.getaddrinfo, []

    def rebinding(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host != "rebind.example":
            return real(host, port, *rest, **options)
        asked.append(host)
        address = "93.184.216.34" if len(asked) % 2 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = f"http://rebind.example:{hostile.server_port}"
    make_deployment(committed_house.project, "outside", runtime="openai", external_url=url)
    gateway = serving.gateway(tmp_path).start()
    try:
        with gateway.client(committed_house.key("viewer")) as client:
            answer = client.post(CHAT, json=ASK | {"model": "outside"})
    finally:
        gateway.stop()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "private_address")
    assert len(asked) == 2
    assert Hostile.asked == 0
