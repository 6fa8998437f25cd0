"""What the gateway knows: one row of PostgreSQL in memory, replaced whole when a newer version is announced."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

log = logging.getLogger(__name__)

CHANNEL = "aifs_gateway"
QUERY = "SELECT version, body FROM lms_gatewaysnapshot WHERE id = 1"
POLL_S = 3.0
"""A lost notification costs at most this."""
RETRY_S = 1.0
ASKED_AGAIN_S = 0.25
"""Requests with something unknown ask PostgreSQL for news at most so often."""
CONNECT_S = 3


@dataclass(frozen=True)
class Snapshot:
    """keys: SHA-256 of a key → its row. deployments, prompts: (project, name) → row."""

    version: int = -1
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployments: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    prompts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, version: int, body: dict[str, Any]) -> "Snapshot":
        return cls(
            version,
            body.get("keys", {}),
            {(row["project"], row["name"]): row for row in body.get("deployments", [])},
            {(row["project"], row["name"]): row for row in body.get("prompts", [])},
        )

    def names(self, project: str) -> list[str]:
        """Models a project may ask for."""
        return [name for owner, name in [*self.deployments, *self.prompts] if owner == project]


class Feed:
    """Keeps `current` fresh. `changed` is called with every new snapshot."""

    def __init__(self, database_url: str, changed: Callable[[Snapshot], None]) -> None:
        self.current = Snapshot()
        self._url = database_url
        self._changed = changed
        self._asked_at = -ASKED_AGAIN_S
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        return self.current.version >= 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def ask_for_news(self) -> None:
        """Read the row now, so that somebody who has just made a key or a deployment finds it known. Never raises:
        without PostgreSQL the old snapshot stands."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._asking), timeout=CONNECT_S)

    async def _ask(self) -> None:
        await asyncio.sleep(self._asked_at + ASKED_AGAIN_S - time.monotonic())
        self._asked_at = time.monotonic()
        try:
            async with await self._connect() as connection:
                await self._read(connection)
        except (psycopg.Error, OSError) as error:
            log.info("no news from PostgreSQL: %s", error)

    async def _run(self) -> None:
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    while True:
                        await self._read(connection)
                        async for _notice in connection.notifies(timeout=POLL_S, stop_after=1):
                            pass
            except (psycopg.Error, OSError) as error:
                log.warning("PostgreSQL is away, serving on from version %d: %s", self.current.version, error)
            await asyncio.sleep(RETRY_S)

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=CONNECT_S)

    async def _read(self, connection: psycopg.AsyncConnection[Any]) -> None:
        row = await (await connection.execute(QUERY)).fetchone()
        if row is None:  # a fresh installation: nothing to serve, and that is known
            row = (0, {})
        version, body = row
        if version != self.current.version:
            self.current = Snapshot.read(version, json.loads(body) if isinstance(body, str) else body)
            self._changed(self.current)
