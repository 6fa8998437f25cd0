"""The gateway while something is broken: the database, an instance, itself."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from apps.core import internal
from apps.core.sealing import Seal
from apps.lms.gateway.config import Config
from apps.lms.gateway.pool import Member, Pool, prefix_of
from apps.lms.gateway.snapshot import Snapshot
from apps.lms.models import Usage
from apps.lms.services import snapshot
from tests.factories import House
from tests.lms import serving
from tests.lms.serving import Gateway, add_instance, make_deployment
from tests.workers.instances import Engine, until
from tests.workers.instances import serving as instance

pytestmark = pytest.mark.fault
ASK: dict[str, Any] = {
    "model": "helper", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "temperature": 0,
}  # fmt: skip
LONG = ASK | {"max_tokens": 480, "temperature": 1.0, "seed": 4}


class Cable:
    """A wire to a server that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._open: list[socket.socket] = []
        self.whole = True
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.whole = False
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _accept(self) -> None:
        while True:
            near, _address = self._server.accept()
            if not self.whole:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def test_answers_go_on_while_the_database_is_away(committed_house: House, engine: Engine, tmp_path: Path) -> None:
    """Fault 7, as seen from here: no answer fails, none is billed twice, none is forgotten."""
    make_deployment(committed_house.project, engines=[engine])
    key, url = committed_house.key("viewer"), serving.database_url()
    parts = urlsplit(url)
    cable = Cable(parts.hostname or "", parts.port or 5432)
    gateway = serving.gateway(tmp_path, database_url=url.replace(f":{parts.port}/", f":{cable.port}/")).start()
    try:
        with gateway.client(key) as client:
            ids = [client.post("/v1/chat/completions", json=ASK).json()["id"]]
            cable.cut()
            ids += [client.post("/v1/chat/completions", json=ASK).json()["id"] for _number in range(5)]
            assert client.post("/v1/chat/completions", json=ASK | {"model": "nobody"}).status_code == 404
            assert client.get("/v1/models", headers={"Authorization": "Bearer aifs_no"}).status_code == 401
            assert client.get("/v2/health/ready").status_code == 200
            time.sleep(1.5)
            assert Usage.objects.count() <= 1
            cable.whole = True
            until(lambda: Usage.objects.count() == len(ids), 15)
            make_deployment(committed_house.project, "second", [engine])
            until(lambda: len(client.get("/v1/models").json()["data"]) == 2, 10)
    finally:
        gateway.stop()
    assert set(Usage.objects.values_list("pk", flat=True)) == set(ids)


def test_usage_left_by_a_killed_gateway_is_billed_once(committed_house: House, engine: Engine, tmp_path: Path) -> None:
    make_deployment(committed_house.project, engines=[engine])
    gateway = serving.gateway(tmp_path).start()
    with gateway.client(committed_house.key("viewer")) as client:
        id = client.post("/v1/chat/completions", json=ASK).json()["id"]
    until(lambda: Usage.objects.filter(pk=id).exists())
    gateway.stop()
    record = {
        "kind": "usage", "response_id": id, "project": str(committed_house.project.pk), "api_key": None,
        "deployment": str(Usage.objects.get().deployment_id), "model": "helper", "prompt_tokens": 9,
        "cached_tokens": 0, "completion_tokens": 9, "ttft_ms": None, "duration_ms": 1.0, "status": 200, "at": 1.0,
    }  # fmt: skip
    lost = record | {"response_id": "chatcmpl-lost", "deployment": "01890000-0000-7000-8000-000000000000"}
    left = tmp_path / "spool" / "000000000042.jsonl"
    left.write_text("\n".join(json.dumps(row) for row in (record, lost)) + '\n{"kind": "usa')
    again = serving.gateway(tmp_path).start()
    try:
        until(lambda: Usage.objects.filter(pk="chatcmpl-lost").exists())
    finally:
        again.stop()
    assert Usage.objects.get(pk=id).prompt_tokens != 9
    assert Usage.objects.get(pk="chatcmpl-lost").deployment is None
    assert Usage.objects.count() == 2
    assert not left.exists()


@pytest.fixture
def two(committed_house: House, engine: Engine, tiny_model: Path, tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """A deployment with one instance that may be harmed, which is the favourite, and one that may not."""
    with instance(tmp_path / "second", tiny_model) as victim:
        yield victim, engine


def favourite(gateway: Gateway, name: str) -> str:
    """Address of the instance that requests like ASK go to."""
    pool: Pool = gateway.app.pool
    deployment = next(member.deployment for member in pool.members.values())
    return pool.pick(deployment, prefix_of(ASK)).url  # type: ignore[union-attr]


def aimed(house: House, gateway: Gateway, victim: Engine, other: Engine) -> None:
    """Make deployments until the victim is the favourite of the prefix."""
    deployment = make_deployment(house.project)
    for _try in range(40):
        deployment.instances.all().delete()
        for engine in (victim, other):
            add_instance(deployment, engine.url, engine.key)
        version = snapshot.rebuild()
        until(lambda version=version: gateway.app.feed.current.version == version)
        until(lambda: all(member.healthy for member in gateway.app.pool.members.values()))
        if favourite(gateway, "helper") == victim.url:
            return
    raise AssertionError("rendezvous hashing never chose the victim")


def test_instance_that_dies_is_replaced_without_the_client_noticing(
    committed_house: House, gateway: Gateway, two: tuple[Engine, Engine]
) -> None:
    """Fault 18: whole answers."""
    victim, other = two
    aimed(committed_house, gateway, victim, other)
    with gateway.client(committed_house.key("viewer")) as client, ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.post, "/v1/chat/completions", json=LONG)
        until(lambda: "requests_running 1" in victim.get("/metrics").text or running.done())
        victim.kill()
        assert running.result().status_code == 200
        until(lambda: len(gateway.app.pool.ready(next(iter(gateway.app.pool.members.values())).deployment)) == 1, 1)
        assert client.post("/v1/chat/completions", json=ASK).status_code == 200
    assert until(lambda: Usage.objects.count()) in {1, 2}


def test_stream_that_breaks_ends_with_a_typed_error(
    committed_house: House, gateway: Gateway, two: tuple[Engine, Engine]
) -> None:
    """Fault 18: streams."""
    victim, other = two
    aimed(committed_house, gateway, victim, other)
    text = ""
    with (
        gateway.client(committed_house.key("viewer")) as client,
        client.stream("POST", "/v1/chat/completions", json=LONG | {"stream": True}) as response,
    ):
        assert response.status_code == 200
        for part in response.iter_text():
            if not text:
                victim.kill()
            text += part
    last = [line for line in text.split("\n\n") if line][-1]
    if last != "data: [DONE]":  # a tiny model may have been faster than the kill
        assert json.loads(last[6:])["error"]["code"] == "instance_died"
        row = until(lambda: Usage.objects.first())
        assert row.status == 502
        assert row.completion_tokens > 0


def test_deployment_without_any_instance_left_says_503(committed_house: House, gateway: Gateway, two: Any) -> None:
    victim, _other = two
    make_deployment(committed_house.project, engines=[victim])
    with gateway.client(committed_house.key("viewer")) as client:
        assert client.post("/v1/chat/completions", json=ASK).status_code == 200
        victim.kill()
        answer = client.post("/v1/chat/completions", json=ASK)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert client.get("/v2/models/helper/ready").status_code == 503


class Prompts(BaseHTTPRequestHandler):
    """Stands for the web process: fills in prompts."""

    secret = ""
    seen: list[dict[str, Any]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        trusted = internal.verify(self.secret, self.headers[internal.HEADER]) == body["project"]
        self.seen.append({"path": self.path, **body})
        if not trusted:
            answer: tuple[int, dict[str, Any]] = (403, {"detail": "no", "code": "not_allowed"})
        elif "name" not in body["inputs"]:
            answer = (400, {"detail": "The variable “name” is missing.", "code": "missing_variable"})
        else:
            messages = [{"role": "user", "content": f"Greet {body['inputs']['name']}"}]
            answer = (
                200,
                {"deployment": "helper", "messages": messages, "settings": {"max_tokens": 3, "temperature": 0}},
            )
        raw = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def test_published_prompts(committed_house: House, engine: Engine, tmp_path: Path, settings: Any) -> None:
    Prompts.secret, Prompts.seen = settings.SECRET_KEY, []
    web = ThreadingHTTPServer(("127.0.0.1", 0), Prompts)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    make_deployment(committed_house.project, engines=[engine])
    offered = {
        "name": "prompt/greet", "service": "greet", "project": str(committed_house.project.pk), "deployment": "helper",
        "created": 1,
    }  # fmt: skip
    more = [lambda: [offered]]
    before, snapshot._more_models[:] = list(snapshot._more_models), more
    snapshot.rebuild()
    gateway = serving.gateway(tmp_path, web_url=f"http://127.0.0.1:{web.server_port}").start()
    try:
        with gateway.client(committed_house.key("viewer")) as client:
            assert {row["id"] for row in client.get("/v1/models").json()["data"]} == {"helper", "prompt/greet"}
            body = {"model": "prompt/greet", "inputs": {"name": "Ada"}, "messages": []}
            answer = client.post("/v1/chat/completions", json=body).json()
            assert answer["model"] == "prompt/greet"
            assert answer["usage"]["completion_tokens"] <= 3
            run = client.post("/v1/prompts/greet/run", json={"inputs": {"name": "Ada"}}).json()
            assert run["choices"][0]["message"]["content"] == answer["choices"][0]["message"]["content"]
            longer = client.post("/v1/prompts/greet/run", json={"inputs": {"name": "Ada"}, "max_tokens": 5}).json()
            assert longer["usage"]["completion_tokens"] > 3
            missing = client.post("/v1/prompts/greet/run", json={"inputs": {}})
            assert missing.status_code == 400
            assert missing.json()["error"]["code"] == "missing_variable"
            assert client.post("/v1/prompts/none/run", json={}).status_code == 404
            web.shutdown()
            web.server_close()
            away = client.post("/v1/prompts/greet/run", json={"inputs": {"name": "Ada"}})
            assert away.status_code == 503
        with gateway.client(committed_house.key("stranger")) as stranger:
            assert stranger.post("/v1/prompts/greet/run", json={}).status_code == 404
    finally:
        gateway.stop()
        snapshot._more_models[:] = before
    row = until(lambda: Usage.objects.filter(model="prompt/greet").first())
    assert row.deployment.name == "helper"
    assert Prompts.seen[0]["path"] == "/internal/prompts/greet/render"


def test_external_endpoint_is_asked_with_its_own_key(
    committed_house: House, engine: Engine, tmp_path: Path, settings: Any
) -> None:
    place = urlsplit(engine.url)
    make_deployment(
        committed_house.project, "outside", runtime="openai", external_url=engine.url, external_model="m",
        external_key=Seal(settings.SECRET_KEY).close(engine.key),
    )  # fmt: skip
    for allowed, status in ((frozenset({f"127.0.0.1:{place.port}"}), 200), (frozenset(), 502)):
        gateway = serving.gateway(tmp_path / str(status), private_hosts=allowed).start()
        try:
            with gateway.client(committed_house.key("viewer")) as client:
                answer = client.post("/v1/chat/completions", json=ASK | {"model": "outside"})
                streamed = client.post("/v1/chat/completions", json=ASK | {"model": "outside", "stream": True})
            assert (answer.status_code, streamed.status_code) == (status, status)
        finally:
            gateway.stop()


class Shaky(BaseHTTPRequestHandler):
    """An endpoint elsewhere that hangs up on some requests, and answers the rest."""

    hang_ups = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if Shaky.hang_ups:
            Shaky.hang_ups -= 1
            return
        raw = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def test_endpoint_elsewhere_that_failed_once_is_asked_again_at_once(committed_house: House, tmp_path: Path) -> None:
    """Nobody stands in for it: to let it rest would be to refuse everybody for what happened to one."""
    outside = ThreadingHTTPServer(("127.0.0.1", 0), Shaky)
    threading.Thread(target=outside.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{outside.server_address[1]}"
    make_deployment(committed_house.project, "outside", runtime="openai", external_url=f"http://{place}")
    gateway = serving.gateway(tmp_path, private_hosts=frozenset({place})).start()
    try:
        with gateway.client(committed_house.key("viewer")) as client:
            for hang_ups, status in ((1, 200), (2, 503), (0, 200)):
                Shaky.hang_ups = hang_ups
                answer = client.post("/v1/chat/completions", json=ASK | {"model": "outside"})
                assert answer.status_code == status, answer.text
    finally:
        gateway.stop()
        outside.shutdown()
        outside.server_close()


def test_internal_token_speaks_for_one_project_and_one_minute(
    gateway: Gateway, committed_house: House, settings: Any
) -> None:
    project = str(committed_house.project.pk)
    good = internal.sign(settings.SECRET_KEY, project)
    assert httpx.get(f"{gateway.url}/v1/models", headers={internal.HEADER: good}).status_code == 200
    late = internal.sign(settings.SECRET_KEY, project, time.time() - 90)
    other = good.replace(project, str(committed_house.other_project.pk))
    for wrong in (late, other, internal.sign("guessed", project), "x", "a.b.c", ""):
        assert httpx.get(f"{gateway.url}/v1/models", headers={internal.HEADER: wrong}).status_code == 401


def test_prefixes_stay_with_their_instance_and_load_is_spread() -> None:
    pool = Pool.__new__(Pool)
    members = [Member(str(number), "d", f"http://{number}", "", healthy=True) for number in range(4)]
    pool.members, pool._of = {member.id: member for member in members}, {"d": members}
    chosen = {prefix: pool.pick("d", prefix).id for prefix in map(str, range(200))}  # type: ignore[union-attr]
    assert chosen == {prefix: pool.pick("d", prefix).id for prefix in chosen}  # type: ignore[union-attr]
    assert all(30 < list(chosen.values()).count(member.id) < 75 for member in members)
    for _number in range(40):  # everybody asks the same: others help
        pool.pick("d", "same").running += 1  # type: ignore[union-attr]
    assert max(member.running for member in members) <= 14
    members[0].healthy = False
    moved = {prefix: pool.pick("d", prefix).id for prefix in chosen}  # type: ignore[union-attr]
    assert "0" not in moved.values()


def test_port_that_is_taken_is_an_error_that_says_so(tmp_path: Path, capfd: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = Config("127.0.0.1", taken.getsockname()[1], "postgresql://nobody@127.0.0.1:9/x", "", "s", tmp_path)
        from apps.lms.gateway.__main__ import server

        with pytest.raises(SystemExit):
            server(config).run()
    assert "address already in use" in capfd.readouterr().err


def test_empty_snapshot_knows_nobody() -> None:
    assert Snapshot.read(1, {}).names("p") == []
