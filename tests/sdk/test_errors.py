"""What an answer that is no success becomes, and what is tried again."""

from collections.abc import Callable

import httpx
import pytest

from aifs.sdk import (
    AifsError,
    Client,
    Conflict,
    ConnectionFailed,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Unavailable,
)
from aifs.sdk.errors import from_response


def client_of(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://aifs", "key", "demo", transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput), (401, NotSignedIn), (403, NotAllowed), (404, NotFound), (409, Conflict),
        (415, InvalidInput), (429, LimitReached), (503, Unavailable), (500, AifsError),
    ],
)  # fmt: skip
def test_every_status_has_its_exception(status: int, kind: type[AifsError]) -> None:
    body = {
        "code": "some_code",
        "detail": "In words.",
        "hint": "Do this.",
        "data": {"errors": [{"field": "a", "message": "b"}]},
    }
    error = from_response(httpx.Response(status, json=body))
    assert type(error) is kind
    assert (error.code, error.hint, error.answered) == ("some_code", "Do this.", status)
    assert str(error) == "In words.\n  a: b\nDo this."


@pytest.mark.parametrize("detail", ["There is no x.", "model: There is no x."])
def test_nothing_is_said_twice(detail: str) -> None:
    """A server that puts the first wrong field into the message, with or without its name."""
    one = {"detail": detail, "data": {"errors": [{"field": "model", "message": "There is no x."}]}}
    assert str(from_response(httpx.Response(400, json=one))) == "model: There is no x."
    both = {"detail": detail, "data": {"errors": [*one["data"]["errors"], {"field": "name", "message": "Needed."}]}}
    assert str(from_response(httpx.Response(400, json=both))) == "model: There is no x.\n  name: Needed."


def test_openai_errors_and_plain_pages_are_understood() -> None:
    openai = from_response(httpx.Response(404, json={"error": {"message": "no model x", "code": "model_not_found"}}))
    assert (type(openai), openai.code, openai.message) == (NotFound, "model_not_found", "no model x")
    page = from_response(httpx.Response(502, text="<html>"))
    assert (page.code, page.message) == ("502", "The server answered 502.")


def test_reading_is_tried_again_and_creating_carries_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("idempotency-key", ""))
        if len(seen) == 1:
            raise httpx.ConnectError("refused")
        if len(seen) == 2:
            return httpx.Response(503, headers={"Retry-After": "1"}, json={"detail": "soon"})
        return httpx.Response(201, json={"id": "1"})

    assert client_of(handler).post("prompts/", {"name": "x"}) == {"id": "1"}
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0]


def test_changing_is_not_repeated_blindly() -> None:
    calls = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        raise httpx.ReadError("gone")

    with pytest.raises(ConnectionFailed):
        client_of(handler).patch("prompts/1/", {})
    assert calls == 1


def test_pages_are_read_to_the_end_or_to_the_limit() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params.get("cursor", 0))
        more = f"http://aifs/api/v1/jobs/?cursor={page + 1}" if page < 2 else None
        return httpx.Response(200, json={"results": [{"id": page * 2}, {"id": page * 2 + 1}], "next": more})

    client = client_of(handler)
    assert [row["id"] for row in client.pages("jobs/")] == [0, 1, 2, 3, 4, 5]
    assert [row["id"] for row in client.pages("jobs/", limit=3)] == [0, 1, 2]
