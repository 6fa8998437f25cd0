"""The same matrix for what is no route of ours: sockets, paths of the gateway, the admin, account pages."""

import asyncio
import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.test import Client
from django.urls import reverse

from apps.core.models import Role
from apps.gpucloud.routing import websocket_urlpatterns
from apps.lms.gateway import app as gateway_app
from tests.attacks.furnished import NAME, Furnished, furnish
from tests.attacks.matrix import ACTORS, OUTSIDE, ROLES, UNKNOWN, Table, browser, key_of, rights_of, undone
from tests.attacks.test_matrix import every_route, is_ours
from tests.factories import make_user
from tests.lms.serving import Gateway
from tests.sockets import Socket

HOST = (b"host", b"127.0.0.1:8000")
HERE = (b"origin", b"http://127.0.0.1:8000")


# --- WebSockets


def socket_paths(place: Furnished) -> list[tuple[str, str]]:
    """(path, right) of every socket; each consumer says its right."""
    found = []
    for pattern in websocket_urlpatterns:
        consumer = pattern.callback.consumer_class
        right = getattr(consumer, "right", None)
        assert right, f'{consumer.__name__} has no rule: say `right = "…"`'
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: place.ids[found[1]], str(pattern.pattern))
        found.append((f"/{path}", right))
    return found


@pytest.mark.django_db(transaction=True)
def test_sockets(table: Table) -> None:
    place = furnish()
    callers = {actor: headers_of(place, actor) for actor in ACTORS}
    sessions = {actor: [HOST, HERE, cookie(place, actor)] for actor in ("owner", "viewer", "stranger")}
    foreign = [HOST, (b"origin", b"http://evil.example"), cookie(place, "owner")]
    for path, right in socket_paths(place):
        for actor, headers in callers.items():
            allowed = right in rights_of(actor)
            assert knock(path, headers) == allowed, (path, actor)
            table.note("socket", path.split("/")[2], actor, 101 if allowed else 403)
        for actor, headers in sessions.items():
            assert knock(path, headers) == (right in rights_of(actor)), (path, actor)
        assert not knock(path, foreign)


def headers_of(place: Furnished, actor: str) -> list[tuple[bytes, bytes]]:
    key = key_of(place.house, actor)
    return [HOST, (b"authorization", f"Bearer {key}".encode())] if key else [HOST, HERE]


def cookie(place: Furnished, part: str) -> tuple[bytes, bytes]:
    return b"cookie", f"sessionid={place.house.client(part).cookies['sessionid'].value}".encode()


def knock(path: str, headers: list[tuple[bytes, bytes]]) -> bool:
    from aifs.asgi import application

    async def ask() -> bool:
        channel_layers.backends.clear()  # they belong to the loop of the one before
        socket = Socket(application, path, headers)
        accepted, _code = await socket.connect()
        await socket.disconnect()
        return accepted

    return asyncio.run(ask())


@pytest.mark.django_db(transaction=True)
def test_a_socket_ends_when_its_key_is_revoked_or_its_member_leaves(monkeypatch: Any) -> None:
    from aifs.asgi import application
    from apps.gpucloud import stream

    monkeypatch.setattr(stream, "CHECK_AGAIN_S", 0.1)
    monkeypatch.setattr(stream, "LOOK_EVERY_S", 0.1)
    place = furnish()
    path = f"/ws/jobs/{place.ids['job']}/"

    def revoke() -> None:
        place.house.owner.api_keys.all().delete()

    def leave() -> None:
        place.house.viewer.memberships.all().delete()

    async def watch(actor: str, deed: Any) -> Any:
        channel_layers.backends.clear()
        headers = await sync_to_async(headers_of)(place, actor)
        socket = Socket(application, path, headers)
        assert (await socket.connect())[0]
        await socket.receive()
        await sync_to_async(deed)()
        while (said := await socket.receive_output(10))["type"] == "websocket.send":
            pass
        return said["code"]

    assert asyncio.run(watch("viewer", leave)) == 4404
    assert asyncio.run(watch("key to view", revoke)) == 4404


# --- the gateway

PATHS = {
    f"({gateway_app.CHAT}|{gateway_app.COMPLETIONS})": gateway_app.CHAT,
    r"/v1/models": "/v1/models",
    r"/v1/models/(.+)": f"/v1/models/{NAME}",
    r"/v1/prompts/(.+)/run": f"/v1/prompts/{NAME}/run",
    r"/v1/feedback": "/v1/feedback",
    r"/v2/health/(live|ready)": "/v2/health/ready",
    r"/v2/models/(.+)/ready": f"/v2/models/{NAME}/ready",
    r"/v2/models/(.+)": f"/v2/models/{NAME}",
    r"/metrics": "/metrics",
}


@pytest.mark.django_db(transaction=True)
def test_gateway_paths(gateway: Gateway, table: Table) -> None:
    place = furnish()
    for actor in ACTORS:
        with gateway.client(key_of(place.house, actor)) as client:
            for route in gateway_app.ROUTES:
                assert route.pattern in PATHS, f"{route.pattern} is new: say here which path stands for it"
                path = PATHS[route.pattern]
                answer = client.request(route.method, path, json={"model": NAME} if route.method == "POST" else None)
                table.note("gateway", f"{route.method} {path}", actor, answer.status_code)
                told = (route.method, path, actor, answer.status_code, answer.text)
                assert answer.status_code in gateway_answer(route.right, actor, path), told
                if actor in OUTSIDE:
                    assert place.house.project.slug not in answer.text, told


def gateway_answer(right: str | None, actor: str, path: str) -> set[int]:
    if right is None:
        return {200}
    if actor in UNKNOWN:
        return {401}
    if actor in OUTSIDE:
        return {200} if path == "/v1/models" else {400} if path == "/v1/feedback" else {404}
    if right not in rights_of(actor):
        return {403}
    return {200, 400, 503}  # nothing runs here that could answer


@pytest.mark.django_db(transaction=True)
def test_no_other_method_opens_a_gateway_path(gateway: Gateway) -> None:
    with gateway.client() as client:
        for path in PATHS.values():
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                if not any(
                    m == method and re.fullmatch(r.pattern, path) for r in gateway_app.ROUTES for m in [r.method]
                ):
                    assert client.request(method, path).status_code == 404


# --- the admin


ARGUMENTS = {
    "object_id": "1", "id": "1", "app_label": "core", "content_type_id": "1", "url": "nothing",
    "key": "nothing", "uidb36": "1", "pk": 1,
}  # fmt: skip
"""Nothing of that name is there: who may come in is told apart from who may not all the same."""


TO_OPERATORS = {
    "/admin/logout/": {405}, "/admin/r/1/1/": {404}, "/admin/core/user/1/password/": {404}, "/admin/nothing": {404},
}  # fmt: skip
"""What else than a page they are told: signing out is a POST, and there is no such object."""


def addresses_under(place: str) -> list[str]:
    """Every address of somebody else's pages, from the URL map."""
    found = []
    for here, name, view, names in every_route():
        if here.startswith(place) and not is_ours(here, view):
            values = {argument: ARGUMENTS[argument] for argument in names}
            found.append(f"/{place}nothing" if name.endswith("None") else reverse(name, kwargs=values))
    return list(dict.fromkeys(found))


def admin_addresses() -> list[str]:
    return addresses_under("admin/")


@pytest.mark.django_db
def test_admin_is_for_operators(table: Table) -> None:
    place = furnish()
    operator = Client(raise_request_exception=False)
    root = make_user("operator", is_staff=True, is_superuser=True)
    operator.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    callers = {actor: browser(place.house, actor) for actor in ACTORS}
    addresses = admin_addresses()
    assert len(addresses) > 100
    for url in addresses:
        route = re.sub(r"/1/", "/…/", url)
        for actor, client in callers.items():
            for method in ("get", "post"):
                with undone():
                    answer = getattr(client, method)(url)
                table.note("admin", route, actor, answer.status_code)
                if url == "/admin/login/" and (actor in ROLES or actor == "stranger"):
                    assert answer.status_code == 403, "is signed in and no operator: another sign-in is no help"
                else:
                    assert answer.status_code == 302, (url, actor, method)
                    assert "/login/" in answer["Location"] or url == "/admin/logout/", (url, actor, method)
        assert operator.get(url).status_code in TO_OPERATORS.get(url, {200, 302, 403}), url


# --- account pages


def account_addresses() -> list[str]:
    return addresses_under("account/")


@pytest.mark.django_db
def test_account_pages_show_nobody_anything(table: Table) -> None:
    place = furnish()
    addresses = account_addresses()
    assert len(addresses) > 10
    callers = {actor: browser(place.house, actor) for actor in ACTORS}
    for url in addresses:
        for actor, client in callers.items():
            for method in ("get", "post"):
                with undone():  # one of these pages signs out
                    answer = getattr(client, method)(url)
                table.note("account", url, actor, answer.status_code)
                assert answer.status_code in {200, 302, 401, 403, 404, 405, 409, 429}, (url, actor, method)
                assert actor == Role.OWNER or place.house.owner.email not in answer.content.decode()
