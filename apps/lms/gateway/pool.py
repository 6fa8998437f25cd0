"""Instances and which of them gets a request: those that are healthy, by prefix affinity, then by least load."""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from apps.core.sealing import Seal
from apps.lms.gateway.snapshot import Snapshot

log = logging.getLogger(__name__)

WATCH_S = 0.5
"""An instance that has died is noticed within this, also when nobody asks it anything."""
PROBE_S = 0.25
PROBE_TIMEOUT_S = 2.0
SLOW_PROBES = 3
"""On a machine that is busy an answer may be late; so many late ones in a row count as none."""
SPREAD = 1.25
"""The favourite of a prefix may carry so much more than the mean before others help. Source: Mirrokni et al. 2018,
arXiv:1608.01350 (consistent hashing with bounded loads)."""


@dataclass(eq=False)
class Member:
    """One instance. healthy: it answered its health route since we last had reason to doubt it. An endpoint elsewhere
    (external) has no health route that we know, and nobody stands in for it: it is always asked."""

    id: str
    deployment: str
    url: str
    key: str
    external: bool = False
    running: int = 0
    healthy: bool = False
    watch: asyncio.Task[None] | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    doubted: asyncio.Event = field(default_factory=asyncio.Event)


class Pool:
    """All instances of all deployments."""

    def __init__(self, session: aiohttp.ClientSession, secret_key: str) -> None:
        self._session = session
        self._seal = Seal(secret_key)
        self.members: dict[str, Member] = {}
        self._of: dict[str, list[Member]] = {}

    def follow(self, snapshot: Snapshot) -> None:
        """Take over a new snapshot: new instances are asked for their health, gone ones get no more requests."""
        wanted = {member.id: member for row in snapshot.deployments.values() for member in self._members(row)}
        for id in [id for id, member in self.members.items() if id not in wanted or member.url != wanted[id].url]:
            self._drop(self.members.pop(id))
        for id, member in wanted.items():
            if id not in self.members:
                self.members[id] = member
                self._start_watch(member)
        self._of = {}
        for member in self.members.values():
            self._of.setdefault(member.deployment, []).append(member)

    def ready(self, deployment: str) -> list[Member]:
        return [member for member in self._of.get(deployment, []) if member.healthy]

    async def wait(self, deployment: str, within_s: float) -> bool:
        """Whether an instance is, or within this time becomes, ready."""
        until = time.monotonic() + within_s
        while not self.ready(deployment):
            probed = [member.answered.wait() for member in self._of.get(deployment, []) if not member.healthy]
            left = until - time.monotonic()
            if left <= 0 or not probed:
                for waiter in probed:
                    waiter.close()
                return False
            tasks = [asyncio.ensure_future(waiter) for waiter in probed]
            await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        return True

    def pick(self, deployment: str, prefix: str, tried: Collection[str] = ()) -> Member | None:
        """The favourite of this prefix among the ready ones, unless it carries too much; then the least loaded."""
        ready = self.ready(deployment)
        fresh = [member for member in ready if member.id not in tried] or ready
        if len(fresh) < 2:
            return fresh[0] if fresh else None
        favourite = max(fresh, key=lambda member: _weight(prefix, member.id))
        mean = (sum(member.running for member in fresh) + 1) / len(fresh)
        return favourite if favourite.running <= SPREAD * mean else min(fresh, key=lambda member: member.running)

    def doubt(self, member: Member) -> None:
        """It failed a request: no more for it until it has answered its health route."""
        if not member.external:
            self._mark(member, False)
            member.doubted.set()

    def close(self) -> None:
        for member in self.members.values():
            self._drop(member)

    def _members(self, row: dict[str, Any]) -> list[Member]:
        if row["external"]:
            outside = row["external"]
            key = self._seal.open(outside["key"])
            return [Member(row["id"], row["id"], outside["url"].rstrip("/"), key, external=True, healthy=True)]
        return [Member(one["id"], row["id"], one["url"], self._seal.open(one["key"])) for one in row["instances"]]

    def _drop(self, member: Member) -> None:
        member.healthy = False
        if member.watch:
            member.watch.cancel()

    def _start_watch(self, member: Member) -> None:
        if not member.external:
            member.watch = asyncio.create_task(self._watch(member))

    def _mark(self, member: Member, healthy: bool) -> None:
        if member.healthy != healthy:
            log.info("instance %s is %s", member.id, "well" if healthy else "not well")
        member.healthy = healthy
        if healthy:
            member.answered.set()
        else:
            member.answered.clear()

    async def _watch(self, member: Member) -> None:
        """Ask for its health as long as it is in the snapshot; at once when a request has failed."""
        late = 0
        while True:
            member.doubted.clear()
            try:
                self._mark(member, await self._well(member))
                late = 0
            except TimeoutError:
                late += 1
                if late >= SLOW_PROBES:
                    self._mark(member, False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(member.doubted.wait(), WATCH_S if member.healthy else PROBE_S)

    async def _well(self, member: Member) -> bool:
        """Whether it answers its health route well. Raises TimeoutError when it is late."""
        headers = {"Authorization": f"Bearer {member.key}"}
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
        try:
            async with self._session.get(f"{member.url}/health", headers=headers, timeout=timeout) as response:
                return response.status == 200
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError):
            return False


def prefix_of(body: dict[str, Any]) -> str:
    """What requests that can share computed state have in common: the beginning of the conversation."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return str(body.get("prompt", ""))[:256]
    parts = []
    for message in messages[:3]:
        if isinstance(message, dict):
            parts.append(f"{message.get('role')}:{str(message.get('content'))[:256]}")
            if message.get("role") == "user":
                break
    return "\n".join(parts)


def _weight(prefix: str, id: str) -> bytes:
    """Rendezvous hashing: every gateway finds the same favourite without talking to others."""
    return hashlib.blake2b(f"{id}\n{prefix}".encode(errors="replace"), digest_size=8).digest()
