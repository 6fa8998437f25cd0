"""Objects that nothing names any more leave storage.

Files are stored first and named last, so that nothing named is ever missing; and the same bytes are stored once, so an
old object may be named anew at any moment. No lock spans storage and records, hence two steps with days between them:
an object that nothing names goes to the trash, where it is read as before but no longer reused. What is named later is
brought back; what stayed there is deleted. Whoever reused an object right before it went has those days to name it, and
a backup to copy it. Every step leaves the object in one of the two places, so it may be broken off anywhere.
"""

import contextlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from django.db import connection
from django.utils import timezone

from apps.core.storage import Storage, Stored, storage

YOUNG = timedelta(days=1)
"""What was written since then may be on its way into the records."""
TRASH = timedelta(days=7)
"""Longer than from storing a file to naming it, than any transaction and than any backup."""
ROWS = 5_000
COLLECT_LOCK = (0x41494653, 2)
"""Name of the advisory lock that keeps two from collecting at one time."""

_names: list[str] = [
    "SELECT file.value->>'sha256' AS sha256 FROM core_artefact, jsonb_each(manifest) AS file",
    "SELECT sha256 FROM core_upload WHERE sha256 <> ''",
]


def register_names(query: str) -> None:
    """An app whose rows name objects gives the SELECT of their hashes, in one column."""
    _names.append(query)


@dataclass
class Collected:
    """How many objects, and their bytes. after: the folder that was looked at last; "" when all have been."""

    thrown_away: int = 0
    thrown_away_bytes: int = 0
    brought_back: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    after: str = field(default="", compare=False)

    def __str__(self) -> str:
        return (
            f"thrown away {self.thrown_away} ({self.thrown_away_bytes} bytes), brought back {self.brought_back}, "
            f"deleted {self.deleted} ({self.deleted_bytes} bytes)"
        )


def collect(*, after: str = "", most_s: float = float("inf"), dry_run: bool = False) -> Collected:
    """Look through storage, folder by folder in the order of the hashes, for at most about so long.

    after: go on behind this folder. dry_run: only count. Returns at once while another process collects. A database
    that names nothing at all is not the one of this storage, or not yet restored: then everything stays.
    """
    done, until = Collected(), time.monotonic() + most_s
    with _alone() as alone:
        folders = [prefix for prefix in storage().folders() if prefix > after] if alone else []
        now = timezone.now()
        with contextlib.closing(_named(folders)) as names:
            for prefix, named in names:
                _collect_folder(storage(), prefix, named, now, done, dry_run=dry_run)
                if time.monotonic() > until and prefix != folders[-1]:
                    done.after = prefix
                    break
    return done


def _collect_folder(
    store: Storage, prefix: str, named: set[str], now: datetime, done: Collected, *, dry_run: bool
) -> None:
    """The trash first: what is thrown away now stays there for its days."""
    for sha256, stored in store.list_trash(prefix).items():
        if sha256 in named:
            done.brought_back += 1
            if not dry_run:
                store.bring_back(sha256)
        elif stored.since < now - TRASH:
            done.deleted, done.deleted_bytes = done.deleted + 1, done.deleted_bytes + stored.size
            if not dry_run:
                store.empty_of(sha256)
    for sha256, stored in _unnamed(store.list_folder(prefix), named, now - YOUNG):
        done.thrown_away, done.thrown_away_bytes = done.thrown_away + 1, done.thrown_away_bytes + stored.size
        if not dry_run:
            store.throw_away(sha256)


def _unnamed(found: dict[str, Stored], named: set[str], before: datetime) -> list[tuple[str, Stored]]:
    return [(sha256, stored) for sha256, stored in found.items() if sha256 not in named and stored.since < before]


def _named(folders: list[str]) -> Generator[tuple[str, set[str]], None, None]:
    """Each of these folders with the hashes in it that some row names, as one moment of the database shows them;
    nothing when it names none at all. The answer waits at the server, so that memory holds one folder at a time and no
    transaction stays open."""
    query = f'SELECT sha256 FROM ({" UNION ".join(_names)}) AS names ORDER BY sha256 COLLATE "C"'  # noqa: S608 - ours
    with connection.chunked_cursor() as cursor:
        cursor.execute(query)
        rows = chain.from_iterable(iter(lambda: cursor.fetchmany(ROWS), []))
        following = next(rows, None)
        for prefix in folders if following else ():
            named: set[str] = set()
            while following and following[0][:2] <= prefix:
                if following[0].startswith(prefix):
                    named.add(following[0])
                following = next(rows, None)
            yield prefix, named


@contextlib.contextmanager
def _alone() -> Iterator[bool]:
    """True when nobody else collects; what is held goes with the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", COLLECT_LOCK)
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", COLLECT_LOCK)
