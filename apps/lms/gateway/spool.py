"""Usage on its way to the ledger: a line in a local file first, then a row in PostgreSQL, each answer exactly once.

A line is written as soon as an answer ends (so it survives the process) and flushed to disk within FLUSH_S (so it
survives the machine). Whole files are loaded in one transaction and then deleted; a file loaded twice adds nothing,
because the response id is the key of the ledger.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

log = logging.getLogger(__name__)

FLUSH_S = 0.05
SHIP_S = 1.0
CONNECT_S = 3
GATEWAY_DIED = 502
SLOTS = 64
DOES_NOT_FIT = (psycopg.DataError, psycopg.IntegrityError, UnicodeError, KeyError)
"""What is wrong with a line itself, and not with the connection."""

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
    """folder: of this gateway's port. While another process of it still drains, the next one takes a folder beside it,
    by a lock that ends with the process; what a killed one left there is brought to the ledger by whoever finds it."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._base = folder
        self._url = database_url
        self._folder, self._lock = _take(folder)
        self._running = Running(self._folder)
        self._number = _newest(self._folder)
        self._file = -1
        self._lines = 0
        self._torn = False
        self._kept: list[dict[str, Any]] = []
        """Lines for which the disk had no room."""
        self._dirty = False
        self._tasks: list[asyncio.Task[None]] = []
        self.pending = 0
        """Lines that are not in the ledger yet, as far as this process knows."""

    def start(self) -> None:
        self._open()
        self._tasks = [asyncio.create_task(self._flush_often()), asyncio.create_task(self._ship_often())]

    def put(self, kind: str, record: dict[str, Any]) -> None:
        """Write one line now. kind: `usage` or `feedback`."""
        record = {"kind": kind, **record}
        line = (b"\n" if self._torn else b"") + json.dumps(record).encode() + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            log.error("the spool cannot be written, the line waits in memory: %s", error)
            written = 0
        if written == len(line):
            self._lines += 1
            self._torn = False
        else:
            self._torn = self._torn or written > 0
            self._kept.append(record)
        self._dirty = True
        self.pending += 1
        if kind == "usage":
            self._running.forget(record["response_id"])

    def note(self, record: dict[str, Any]) -> None:
        """What a running answer has cost so far: billed should this process be killed before its end."""
        self._running.note(record)

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
        self._running.close()
        os.close(self._lock)

    def _open(self) -> None:
        path = self._folder / f"{self._number + 1:012d}.jsonl"
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._number, self._path = self._number + 1, path
        self._lines, self._torn = 0, False

    def _rotate(self) -> None:
        """Close the file that is written, when it holds anything, and begin the next; it stays where there is no room
        for a next one."""
        if not self._lines:
            return
        try:
            before = self._file
            os.fsync(before)
            self._open()
            os.close(before)
        except OSError as error:
            log.error("the spool cannot be rotated: %s", error)

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
        with _abandoned(self._base, self._folder) as left:
            await self._load_files([*files, *left])

    async def _load_files(self, files: list[Path]) -> None:
        if not files and not self._kept:
            return
        async with await psycopg.AsyncConnection.connect(self._url, connect_timeout=CONNECT_S) as connection:
            for path in files:
                records = _read(path)
                try:
                    async with connection.transaction():
                        await _load(connection, records)
                except DOES_NOT_FIT as error:
                    log.error("a line of %s does not fit the ledger: %s", path, error)
                    await self._load_one_by_one(connection, path, records)
                path.unlink()
                self.pending = max(0, self.pending - len(records))
            if kept := list(self._kept):
                async with connection.transaction():
                    await _load(connection, kept)
                del self._kept[: len(kept)]
                self.pending = max(0, self.pending - len(kept))

    async def _load_one_by_one(
        self, connection: psycopg.AsyncConnection[Any], path: Path, records: list[dict[str, Any]]
    ) -> None:
        """One bad line must not keep back the bills of all others: it is set aside in `refused/`."""
        for record in records:
            try:
                async with connection.transaction():
                    await _load(connection, [record])
            except DOES_NOT_FIT as error:
                log.error("set aside: %s", error)
                refused = self._folder / "refused"
                refused.mkdir(exist_ok=True, mode=0o700)
                with (refused / path.name).open("a") as aside:
                    aside.write(json.dumps(record) + "\n")


class Running:
    """Answers that are being given, in a file of their own: who pays on the first line of each, then what it has cost
    so far. It is emptied whenever nothing runs."""

    NAME = "running.log"
    MAX_BYTES = 4 << 20

    def __init__(self, folder: Path) -> None:
        recover(folder)
        self._path = folder / self.NAME
        self._file = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._records: dict[str, dict[str, Any]] = {}
        self._size = 0

    def note(self, record: dict[str, Any]) -> None:
        """record: as of `Spool.put("usage", …)`."""
        id = record["response_id"]
        costs = {name: record[name] for name in ("prompt_tokens", "cached_tokens", "completion_tokens")}
        self._write({"response_id": id, **costs} if id in self._records else record)
        self._records[id] = record

    def forget(self, id: str) -> None:
        if self._records.pop(id, None) and (not self._records or self._size > self.MAX_BYTES):
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
                self._size = 0
                for record in self._records.values():
                    self._write(record)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, record: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a full disk: only the bill of a process that is then killed is at stake
            self._size += os.write(self._file, json.dumps(record).encode() + b"\n")


def recover(folder: Path) -> None:
    """Answers that a killed process was giving become lines of the spool, with what had been delivered by then."""
    path = folder / Running.NAME
    if not path.exists():
        return
    found: dict[str, dict[str, Any]] = {}
    for line in _read(path):
        found[line["response_id"]] = found.get(line["response_id"], {}) | line
    ended = {record.get("response_id") for file in folder.glob("*.jsonl") for record in _read(file)}
    left = [
        {"kind": "usage", **record, "status": GATEWAY_DIED}
        for id, record in found.items()
        if id not in ended and "project" in record
    ]
    if left:
        temporary = folder / "recovered.new"
        temporary.write_text("".join(json.dumps(record) + "\n" for record in left))
        temporary.replace(folder / f"{_newest(folder) + 1:012d}.jsonl")
    path.unlink()


def _take(folder: Path) -> tuple[Path, int]:
    """The first of `folder`, `folder-2` … that no living process has, and its lock."""
    for number in range(1, SLOTS):
        chosen = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        chosen.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _try_lock(chosen)
        if lock is not None:
            return chosen, lock
    raise OSError(f"{SLOTS} gateways already write below {folder}")


def _try_lock(folder: Path) -> int | None:
    lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


@contextlib.contextmanager
def _abandoned(base: Path, own: Path) -> Iterator[list[Path]]:
    """Files of processes that ended without bringing them to the ledger; their folders are locked meanwhile."""
    locks, files = [], []
    for folder in [base, *base.parent.glob(f"{base.name}-*")]:
        if folder != own and folder.is_dir() and (any(folder.glob("*.jsonl")) or (folder / Running.NAME).exists()):
            lock = _try_lock(folder)
            if lock is not None:
                locks.append(lock)
                recover(folder)
                files += sorted(folder.glob("*.jsonl"))
    try:
        yield files
    finally:
        for lock in locks:
            os.close(lock)


def _newest(folder: Path) -> int:
    return max((int(path.stem) for path in folder.glob("*.jsonl") if path.stem.isdecimal()), default=0)


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
