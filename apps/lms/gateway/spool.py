"""Usage on its way to the ledger: a line in a local file first, then a row in PostgreSQL, each answer exactly once.

A line is written as soon as an answer ends (so it survives the process) and flushed to disk within FLUSH_S (so it
survives the machine). Whole files are loaded in one transaction and then deleted; a file loaded twice adds nothing,
because the response id is the key of the ledger.
"""

import asyncio
import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import psycopg

log = logging.getLogger(__name__)

FLUSH_S = 0.05
SHIP_S = 1.0
CONNECT_S = 3

INSERT_USAGE = """
INSERT INTO lms_usage (response_id, project_id, api_key_id, deployment_id, model, prompt_tokens, cached_tokens,
                       completion_tokens, ttft_ms, duration_ms, status, at)
VALUES (%(response_id)s, (SELECT id FROM core_project WHERE id = %(project)s),
        (SELECT id FROM core_apikey WHERE id = %(api_key)s), (SELECT id FROM lms_deployment WHERE id = %(deployment)s),
        %(model)s, %(prompt_tokens)s, %(cached_tokens)s, %(completion_tokens)s, %(ttft_ms)s, %(duration_ms)s,
        %(status)s, to_timestamp(%(at)s))
ON CONFLICT (response_id) DO NOTHING"""

MARK_KEY = """
UPDATE core_apikey SET last_used_at = to_timestamp(%(at)s)
WHERE id = %(api_key)s AND (last_used_at IS NULL OR last_used_at < to_timestamp(%(at)s))"""

INSERT_FEEDBACK = """
INSERT INTO lms_feedback (id, response_id, project_id, score, comment, created_at)
SELECT %(id)s, %(response_id)s::varchar, project.id, %(score)s, %(comment)s, to_timestamp(%(at)s)
FROM core_project AS project
WHERE project.id = %(project)s::uuid AND NOT EXISTS (
    SELECT 1 FROM lms_usage WHERE response_id = %(response_id)s::varchar AND project_id <> %(project)s::uuid)
ON CONFLICT (id) DO NOTHING"""


class Spool:
    """folder: belongs to this process alone."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._folder = folder
        self._url = database_url
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        numbers = [int(path.stem) for path in folder.glob("*.jsonl") if path.stem.isdecimal()]
        self._number = max(numbers, default=0)
        self._file = -1
        self._lines = 0
        self._dirty = False
        self._tasks: list[asyncio.Task[None]] = []
        self.pending = 0
        """Lines that are not in the ledger yet, as far as this process knows."""

    def start(self) -> None:
        self._open()
        self._tasks = [asyncio.create_task(self._flush_often()), asyncio.create_task(self._ship_often())]

    def put(self, kind: str, record: dict[str, Any]) -> None:
        """Write one line now. kind: `usage` or `feedback`."""
        os.write(self._file, json.dumps({"kind": kind, **record}).encode() + b"\n")
        self._lines += 1
        self._dirty = True
        self.pending += 1

    async def stop(self) -> None:
        """Flush, and bring what is there to the ledger if that goes quickly."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._rotate()
        with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
            await asyncio.wait_for(self._ship(), timeout=CONNECT_S)
        os.close(self._file)

    def _open(self) -> None:
        self._number += 1
        self._path = self._folder / f"{self._number:012d}.jsonl"
        self._file = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._lines = 0

    def _rotate(self) -> None:
        """Close the file that is written, when it holds anything, and begin the next."""
        if self._lines:
            os.fsync(self._file)
            os.close(self._file)
            self._open()

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            if self._dirty:
                self._dirty = False
                descriptor = os.dup(self._file)
                try:
                    await asyncio.to_thread(os.fsync, descriptor)
                finally:
                    os.close(descriptor)

    async def _ship_often(self) -> None:
        while True:
            try:
                self._rotate()
                await self._ship()
            except (psycopg.Error, OSError) as error:
                log.warning("usage waits in %s: %s", self._folder, error)
            await asyncio.sleep(SHIP_S)

    async def _ship(self) -> None:
        files = [path for path in sorted(self._folder.glob("*.jsonl")) if path != self._path]
        if not files:
            return
        async with await psycopg.AsyncConnection.connect(self._url, connect_timeout=CONNECT_S) as connection:
            for path in files:
                records = _read(path)
                async with connection.transaction():
                    await _load(connection, records)
                path.unlink()
                self.pending = max(0, self.pending - len(records))


def _read(path: Path) -> list[dict[str, Any]]:
    """Whole lines; a torn last one was never answered for."""
    records = []
    for line in path.read_bytes().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            log.warning("a torn line in %s is skipped", path)
    return records


async def _load(connection: psycopg.AsyncConnection[Any], records: list[dict[str, Any]]) -> None:
    usage = [record for record in records if record["kind"] == "usage"]
    feedback = [record for record in records if record["kind"] == "feedback"]
    newest = {record["api_key"]: record for record in usage if record["api_key"]}
    async with connection.cursor() as cursor:
        if usage:
            await cursor.executemany(INSERT_USAGE, usage)
        if newest:
            await cursor.executemany(MARK_KEY, list(newest.values()))
        if feedback:
            await cursor.executemany(INSERT_FEEDBACK, feedback)
