"""`/ws/jobs/<id>/` and `/api/v1/jobs/<id>/events/`: a snapshot, then news, and nobody else's."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers

from apps.gpucloud.api import server_sent
from apps.gpucloud.services.attempts import hand_to_finisher
from apps.gpucloud.services.events import Batch, store_batch
from apps.gpucloud.services.finishing import finish_attempt
from tests.factories import make_house
from tests.gpucloud.pieces import make_node, schedule, started
from tests.sockets import Socket

pytestmark = pytest.mark.django_db(transaction=True)


def prepare() -> tuple[Any, Any, Any]:
    from apps.gpucloud.services import submit_job

    house = make_house()
    make_node()
    job = submit_job(house.actor("engineer"), house.project, "gpucloud.check", {})
    schedule()
    return house, job, started(job)


def step(claim: Any, number: int) -> None:
    point = {"type": "metric", "t": float(number), "step": number, "values": {"loss": 1 / number}}
    progress = {"type": "progress", "t": float(number), "done": number, "total": 9, "message": "Checking"}
    store_batch(claim, Batch([point, progress], [f"line {number}"], number, number))


def finish(claim: Any) -> None:
    hand_to_finisher(claim, {}, {"code": 0})
    finish_attempt(claim.attempt_id)


def socket(house: Any, job: Any, part: str, after: int = 0) -> Socket:
    from aifs.asgi import application

    channel_layers.backends.clear()  # each test has an event loop of its own
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {house.key(part)}".encode())]
    return Socket(application, f"/ws/jobs/{job.pk}/?after={after}", headers)


def by_type(message: dict[str, Any], type: str) -> list[dict[str, Any]]:
    return [event for event in message["events"] if event["type"] == type]


def test_snapshot_then_news_then_the_end() -> None:
    async def watch() -> None:
        house, job, claim = await sync_to_async(prepare)()
        await sync_to_async(step)(claim, 1)
        client = await sync_to_async(socket)(house, job, "viewer")
        assert (await client.connect())[0]
        first = await client.receive()
        assert first["type"] == "snapshot" and first["job"]["state"] == "running"
        assert [line["message"] for event in by_type(first, "log") for line in event["lines"]] == ["line 1"]
        assert by_type(first, "metric") == [{"seq": first["seq"], "type": "metric", "step": 1, "values": {"loss": 1.0}}]
        await sync_to_async(step)(claim, 2)
        news = await client.receive()
        assert news["type"] == "events" and news["seq"] > first["seq"] and news["job"]["progress"]["done"] == 2
        assert [event["step"] for event in by_type(news, "metric")] == [2]
        assert [line["line"] for event in by_type(news, "log") for line in event["lines"]] == [2]
        await sync_to_async(finish)(claim)
        while news["job"]["state"] != "succeeded":
            news = await client.receive()
        assert (await client.receive_output(10))["type"] == "websocket.close"

    asyncio.run(watch())


def test_after_a_lost_connection_what_was_missed_comes() -> None:
    async def watch() -> None:
        house, job, claim = await sync_to_async(prepare)()
        before = await sync_to_async(lambda: type(job).objects.get(pk=job.pk).last_seq)()
        await sync_to_async(step)(claim, 1)
        await sync_to_async(step)(claim, 2)
        client = await sync_to_async(socket)(house, job, "viewer", after=before)
        await client.connect()
        first = await client.receive()
        assert [event["step"] for event in by_type(first, "metric")] == [1, 2]
        assert len(by_type(first, "progress")) == 1, "only the newest is kept"
        await client.disconnect()

    asyncio.run(watch())


def test_without_redis_news_still_come(settings) -> None:
    """The page looks by itself every two seconds."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
        }
    }

    async def watch() -> None:
        house, job, claim = await sync_to_async(prepare)()
        client = await sync_to_async(socket)(house, job, "viewer")
        await client.connect()
        await client.receive()
        await sync_to_async(step)(claim, 1)
        assert by_type(await client.receive(), "metric")
        await client.disconnect()

    asyncio.run(watch())


@pytest.mark.parametrize("headers", [[], [(b"origin", b"https://evil.example")]])
def test_strangers_and_other_sites_are_refused(headers) -> None:
    async def watch() -> None:
        from aifs.asgi import application

        house, job, _claim = await sync_to_async(prepare)()
        client = await sync_to_async(socket)(house, job, "stranger")
        assert not (await client.connect())[0]
        anonymous = Socket(application, f"/ws/jobs/{job.pk}/", [(b"host", b"localhost"), *headers])
        assert not (await anonymous.connect())[0]

    asyncio.run(watch())


def test_server_sent_events_from_the_start() -> None:
    async def watch() -> list[str]:
        channel_layers.backends.clear()
        _house, job, claim = await sync_to_async(prepare)()
        await sync_to_async(step)(claim, 1)
        await sync_to_async(finish)(claim)
        return [part async for part in server_sent(job.pk, 0, lambda: True)]

    parts = [part for part in asyncio.run(watch()) if part.startswith("id: ")]
    events = [json.loads(part.split("data: ", 1)[1]) for part in parts]
    states = [event["state"] for event in events if event["type"] == "state"]
    assert states == ["queued", "scheduled", "preparing", "running", "succeeded"]
    assert all(part.split("\n")[1] == f"event: {event['type']}" for part, event in zip(parts, events, strict=True))
