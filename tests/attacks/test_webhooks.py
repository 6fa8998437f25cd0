"""Webhooks: an owner names addresses that our server calls. Nothing private is called, no answer is shown."""

import hashlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.models import Webhook, WebhookDelivery
from apps.core.services import deliveries
from tests.attacks.test_gateway import PRIVATE
from tests.factories import House, make_house
from workers.errors import InvalidInput

pytestmark = pytest.mark.django_db
SAID = "canary-of-an-inner-service-41c9"
LOOPBACK = (
    "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
)  # fmt: skip
METADATA = ("http://169.254.169.254/latest/", "http://[fd00:ec2::254]/", "http://100.100.100.200/")


class Inner(socketserver.ThreadingTCPServer):
    """Something on this machine that anybody who reaches it can talk to: keeps what it hears, answers with `answer`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(SAID), SAID.encode())
        self.slow = False
        super().__init__(("127.0.0.1", 0), Talk)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Talk(socketserver.BaseRequestHandler):
    server: Inner

    def handle(self) -> None:
        heard = self.request.recv(65536)
        while b"\r\n\r\n" not in heard and (more := self.request.recv(65536)):
            heard += more
        self.server.heard.append(heard + self.body(heard))
        try:
            self.request.sendall(self.server.answer)
            while self.server.slow:
                self.request.sendall(b"x" * 65536)
        except OSError:
            return

    def body(self, heard: bytes) -> bytes:
        head, _end, begun = heard.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        body = b""
        while len(begun) + len(body) < length:
            body += self.request.recv(65536)
        return body


@pytest.fixture
def inner() -> Iterator[Inner]:
    server = Inner()
    yield server
    server.slow = False
    server.shutdown()
    server.server_close()


@pytest.fixture
def house() -> House:
    return make_house()


def hook_to(house: House, url: str) -> Webhook:
    """As it stands in the table when an address was public while it was written down, and is not any more."""
    from django.conf import settings

    from apps.core.sealing import Seal

    return house.project.webhooks.create(
        url=url, events=["job.failed"], secret=Seal(settings.SECRET_KEY).close("s" * 40)
    )


def told(house: House) -> WebhookDelivery:
    """The delivery of one event, after it was tried."""
    services.emit("job.failed", house.project, url="/p/harbour/", job="nightly")
    deliveries.deliver_webhooks()
    return WebhookDelivery.objects.latest("created_at")


@pytest.mark.parametrize("url", [*PRIVATE, *METADATA])
def test_no_private_address_is_written_down(house: House, url: str) -> None:
    for deed in (
        lambda: services.create_webhook(house.actor(), house.project, url, ["job.failed"]),
        lambda: services.update_webhook(
            house.actor(), hook_to(house, "https://1.1.1.1/"), url=url, events=["job.failed"], enabled=True
        ),
    ):
        with pytest.raises(InvalidInput):
            deed()
    assert not Webhook.objects.exclude(url="https://1.1.1.1/").exists()


@pytest.mark.parametrize("host", LOOPBACK)
def test_nothing_is_sent_to_an_address_that_became_private(house: House, inner: Inner, host: str) -> None:
    hook_to(house, f"http://{host}:{inner.server_address[1]}/")
    row = told(house)
    assert inner.heard == []
    assert (row.status, row.delivered_at) == (0, None)
    assert "not a public one" in row.answer or "cannot be found" in row.answer


@pytest.mark.parametrize("url", METADATA)
def test_metadata_services_are_not_called_when_listed(house: House, settings: Any, url: str, monkeypatch: Any) -> None:
    def no_way(*_args: Any) -> None:
        raise AssertionError("it tried to connect")

    settings.AIFS_PRIVATE_HOSTS = ["169.254.169.254:80", "[fd00:ec2::254]:80", "100.100.100.200:80"]
    hook_to(house, url)
    monkeypatch.setattr("asyncio.selector_events.BaseSelectorEventLoop._sock_connect", no_way)
    assert "not a public one" in told(house).answer


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "ftp://1.1.1.1/", "http://u:p@1.1.1.1/"]
)
def test_nothing_but_the_web_is_called(house: House, url: str) -> None:
    hook_to(house, url)
    row = told(house)
    assert row.status == 0
    assert "must begin with http" in row.answer


def test_a_name_that_answers_differently_the_second_time_leads_nowhere(
    house: House, inner: Inner, monkeypatch: Any
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
    hook_to(house, f"http://rebind.example:{inner.server_address[1]}/")
    assert "not a public one" in told(house).answer
    assert len(asked) == 2
    assert inner.heard == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere(house: House, inner: Inner, settings: Any, status: int) -> None:
    """Neither inside nor to the same receiver again."""
    other = Inner()
    settings.AIFS_PRIVATE_HOSTS = [inner.place]
    hook_to(house, f"http://{inner.place}/")
    for target in (
        f"http://{other.place}/",
        f"http://{inner.place}/again",
        "http://169.254.169.254/",
        "file:///etc/passwd",
    ):
        inner.answer = f"HTTP/1.1 {status} Away\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        assert told(house).status == status
    assert len(inner.heard) == 4
    assert other.heard == []
    other.shutdown()
    other.server_close()


ANSWERS = {
    "well": b"HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n" + SAID.encode(),
    "ill": f"HTTP/1.1 500 {SAID}\r\nX-Inner: {SAID}\r\nContent-Length: 31\r\n\r\n{SAID}".encode(),
    "no HTTP": b"SSH-2.0-" + SAID.encode() + b"\r\n",
    "bad header": b"HTTP/1.1 200 OK\r\n" + SAID.encode() + b"\r\n\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + SAID.encode() + b"\r\n",
    "redis": b"-ERR unknown command " + SAID.encode() + b"\r\n",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_nothing_of_an_answer_is_kept_or_shown(
    house: House, inner: Inner, settings: Any, caplog: Any, answer: bytes
) -> None:
    """An operator's list lets a webhook reach an inner service; its owner still does not read there."""
    caplog.set_level("DEBUG")
    settings.AIFS_PRIVATE_HOSTS = [inner.place]
    inner.answer = answer
    hook = hook_to(house, f"http://{inner.place}/")
    row = told(house)
    assert len(inner.heard) == 1
    pages = [
        house.client().get(reverse("core:webhook_detail", args=[house.project.slug, hook.pk])),
        house.api().get(reverse("webhook-deliveries", args=[hook.pk])),
    ]
    shown = [row.answer, caplog.text, *(page.content.decode() for page in pages)]
    assert [page.status_code for page in pages] == [200, 200]
    assert not [text for text in shown if SAID in text]


@pytest.mark.timed
def test_an_endless_answer_holds_nobody_up(house: House, inner: Inner, settings: Any) -> None:
    settings.AIFS_PRIVATE_HOSTS = [inner.place]
    inner.answer, inner.slow = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", True
    hook_to(house, f"http://{inner.place}/")
    started = time.monotonic()
    assert told(house).status == 200
    assert time.monotonic() - started < 2


def test_the_proxy_of_the_environment_hears_nothing(
    house: House, inner: Inner, settings: Any, monkeypatch: Any
) -> None:
    proxy = Inner()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{proxy.place}")
    settings.AIFS_PRIVATE_HOSTS = [inner.place]
    hook_to(house, f"http://{inner.place}/")
    assert told(house).status == 200
    assert (len(inner.heard), proxy.heard) == (1, [])
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("tail", ["/a\r\nX-Evil: 1", "/a%0d%0aX-Evil:%201", "/?a=\r\n\r\nDELETE / HTTP/1.1"])
def test_an_address_adds_no_header(house: House, inner: Inner, settings: Any, tail: str) -> None:
    settings.AIFS_PRIVATE_HOSTS = [inner.place]
    hook_to(house, f"http://{inner.place}{tail}")
    told(house)
    for heard in inner.heard:
        head = heard.partition(b"\r\n\r\n")[0]
        assert b"\r\nX-Evil" not in head
        assert b"\nDELETE" not in heard


# --- the signature


def by_the_rfc(key: bytes, message: bytes) -> str:
    """HMAC-SHA256 as RFC 2104 writes it, from nothing but the hash."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    within = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + within).hexdigest()


def test_a_receiver_can_tell_whose_message_it_is_and_how_old(house: House, inner: Inner, settings: Any) -> None:
    settings.AIFS_PRIVATE_HOSTS = [inner.place]
    _hook, secret = services.create_webhook(house.actor(), house.project, f"http://{inner.place}/", ["job.failed"])
    told(house)
    head, _end, body = inner.heard[0].partition(b"\r\n\r\n")
    headers = dict(line.decode().lower().split(": ", 1) for line in head.split(b"\r\n")[1:])
    second, mark = (part.partition("=")[2] for part in headers["x-aifs-signature"].split(","))
    assert abs(int(second) - time.time()) < 30
    assert mark == by_the_rfc(secret.encode(), second.encode() + b"." + body)
    for key, when, what in (
        (secret[:-1], second, body),
        (secret, str(int(second) + 1), body),  # a message of yesterday under a second of today
        (secret, second, body.replace(b"nightly", b"another")),
        (secret, "", body),
    ):
        assert mark != by_the_rfc(key.encode(), when.encode() + b"." + what)
    assert secret.encode() not in inner.heard[0]
