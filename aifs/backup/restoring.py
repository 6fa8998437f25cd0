"""Bringing a backup back, into a database and a storage that hold nothing of value.

Files come first and are verified one by one; they are named by their hash, so a broken-off restore did no harm and is
simply begun again. The database comes last and at once, when everything was seen to be whole.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from aifs.backup import FORMAT, BackupError, postgres
from aifs.backup.archive import BLOCK, END, HEAD, members, object_name
from aifs.backup.making import Tell, secret_mark
from aifs.database import Unusable, check_server
from aifs.embedded.home import Home, write_private
from apps.core.storage import safe_join, storage
from apps.gpucloud.services.restored import let_go_of_nodes

SMALL_MAX = 1 << 30
"""Bytes of the lists at the head; they are read into memory."""


@dataclass
class Reading:
    """What was read so far. wanted: size by hash of every file that belongs to the backup. staged: where the files of
    checkpoints lie meanwhile."""

    head: dict[str, Any] = field(default_factory=dict)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    wanted: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    done_bytes: int = 0


def restore(path: Path, tell: Tell, snapshot: str = "") -> dict[str, Any]:
    """Returns what was brought back. Raises BackupError; the database is then as empty as it was."""
    began, server = time.monotonic(), check_target()
    settings.AIFS_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".aifs-restore-", dir=settings.AIFS_HOME) as work:
        found = _read(members(path, snapshot), path, Path(work), server, tell)
        checkpoints = _bring_checkpoints(found, Path(work))
        tell("database", 0, 1)
        dump = Path(work) / "database.dump"
        postgres.restore(settings.DATABASE_URL, server, found.head["postgres"]["pg_dump"], dump)
    call_command("migrate", interactive=False, verbosity=0)
    jobs = let_go_of_nodes()
    tell("database", 1, 1)
    missing = sorted({*found.head["missing"], *found.damaged})
    return {
        "restored": str(path), "snapshot": found.head["made_at"], "files": len(found.seen), "bytes": found.done_bytes,
        "checkpoints": checkpoints, "jobs_requeued": jobs, "missing": missing, "secret_key": _settle_secret(found),
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def check_target() -> int:
    """The version of an empty PostgreSQL. Raises BackupError where there is anything to overwrite."""
    try:
        check_server(settings.DATABASE_URL)
    except Unusable as error:
        raise BackupError(str(error)) from None
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as session:
        if count := postgres.table_count(session):
            raise BackupError(
                f"The database {session.info.dbname} is not empty ({count} tables); a restore never overwrites. "
                "Give another AIFS_HOME, or a DATABASE_URL of an empty database."
            )
        return postgres.major(session)


def _read(entries: Iterator[tuple[str, BinaryIO]], path: Path, work: Path, server: int, tell: Tell) -> Reading:
    found, keep = Reading(), set[str]()
    end: dict[str, Any] | None = None
    for name, file in entries:
        if name in HEAD or name == END:
            content = _head_member(found, name, file, work)
            if name == "backup.json":
                found.head = _object(content, path)
                check_versions(found.head, server)
            elif not found.head:
                raise BackupError(f"{path} does not begin as a backup of AIFS does.")
            elif name == "checkpoints.json":
                found.checkpoints = json.loads(content)
                keep = {e["sha256"] for point in found.checkpoints for e in point["manifest"].values()}
            elif name == "files.txt":
                found.wanted = {sha: int(size) for sha, size in (row.split() for row in content.decode().splitlines())}
                _check_space(found)
            elif name == "secrets.json":
                found.secrets = json.loads(content)
            elif name == END:
                end = json.loads(content)
        else:
            _file(found, name.rpartition("/")[2], file, work, keep)
            tell("files", found.done_bytes, found.head["files"]["bytes"])
    _check_whole(found, end, path)
    return found


def _head_member(found: Reading, name: str, file: BinaryIO, work: Path) -> bytes:
    """Hash it; the dump goes to a file, the rest is returned."""
    digest, content = hashlib.sha256(), io.BytesIO()
    target: Any = (work / name).open("wb") if name == "database.dump" else content
    with target:
        while block := file.read(BLOCK):
            digest.update(block)
            target.write(block)
            if target is content and content.tell() > SMALL_MAX:
                raise BackupError(f"{name} is larger than a backup of AIFS makes it.")
        read = content.getvalue() if target is content else b""
    found.hashes[name] = digest.hexdigest()
    return read


def _object(content: bytes, path: Path) -> dict[str, Any]:
    try:
        head = json.loads(content)
        if head["format"] == FORMAT:
            head["migrations"].items(), head["postgres"]["server"], head["files"]["bytes"], head["missing"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackupError(f"{path} is no backup of AIFS: its backup.json is not as AIFS writes it.") from None
    return dict(head)


def check_versions(head: dict[str, Any], server: int) -> None:
    """Raises BackupError when the backup is of another format, of a newer AIFS or of a newer PostgreSQL."""
    if head["format"] != FORMAT:
        raise BackupError(
            f"The backup has format {head['format']}; this AIFS reads {FORMAT}. Use the AIFS that made it."
        )
    known = set(MigrationLoader(None).disk_migrations)
    ahead = [f"{app}.{name}" for app, names in head["migrations"].items() for name in names if (app, name) not in known]
    if ahead:
        raise BackupError(
            f"The backup was made by a newer AIFS ({head['aifs']}): this one does not know {', '.join(ahead[:3])}. "
            "Install that version, then restore."
        )
    if head["postgres"]["server"] > server:
        raise BackupError(
            f"The backup is of PostgreSQL {head['postgres']['server']}; this server is {server}, and must not be older."
        )


def _check_space(found: Reading) -> None:
    """Files that are there already need none."""
    needed = sum(size for sha, size in found.wanted.items() if not storage().has(sha))
    place = Path(storage().root) if storage().local else settings.AIFS_HOME
    while not place.exists():
        place = place.parent
    if (free := shutil.disk_usage(place).free) < needed:
        raise BackupError(f"{place} has {free >> 20} MiB free; the files need {(needed >> 20) + 1} MiB.")


def _file(found: Reading, sha256: str, file: BinaryIO, work: Path, keep: set[str]) -> None:
    """Into storage when its hash is right; what the end of the backup calls damaged is passed over."""
    if sha256 not in found.wanted:
        raise BackupError(f"The backup holds a file that its list does not name: {sha256}.")
    target, digest, size = work / sha256, hashlib.sha256(), 0
    with target.open("wb") as out:
        while block := file.read(BLOCK):
            digest.update(block)
            out.write(block)
            size += len(block)
    if digest.hexdigest() != sha256 or size != found.wanted[sha256]:
        found.bad.add(sha256)
        target.unlink()
        return
    storage().put_file(target)
    if sha256 not in keep:
        target.unlink()
    found.seen.add(sha256)
    found.done_bytes += size


def _check_whole(found: Reading, end: dict[str, Any] | None, path: Path) -> None:
    if end is None:
        raise BackupError(f"{path} is cut off: its end is missing.")
    changed = [name for name, mark in end["members"].items() if found.hashes.get(name) != mark["sha256"]]
    if changed:
        raise BackupError(f"{path} is damaged: {', '.join(changed)} is not what was written.")
    found.damaged = list(end["damaged"])
    rotten = sorted(found.bad - set(end["damaged"]))
    if rotten:
        raise BackupError(f"{path} is damaged: {len(rotten)} files have other bytes than were written: {rotten[0]} …")
    absent = sorted(found.wanted.keys() - found.seen - found.bad - set(end["vanished"]) - set(end["damaged"]))
    if absent:
        raise BackupError(f"{path} is not whole: {len(absent)} of its files are gone, {object_name(absent[0])} …")


def _bring_checkpoints(found: Reading, work: Path) -> int:
    """Put the checkpoints of unfinished runs where a takeover looks for them. One with a file missing is passed over:
    the run goes on from the one before."""
    count = 0
    for point in found.checkpoints:
        if any(entry["sha256"] not in found.seen for entry in point["manifest"].values()):
            continue
        folder = work / "checkpoint"
        for name, entry in point["manifest"].items():
            place = safe_join(folder, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(work / entry["sha256"], place)
        storage().put_checkpoint(point["job"], point["step"], folder)
        shutil.rmtree(folder)
        count += 1
    return count


def _settle_secret(found: Reading) -> str:
    """same: sealed texts can be read. restored: the key of the backup was put into this home. other: keys of external
    endpoints must be entered again, and everybody signs in again."""
    if secret_mark(settings.SECRET_KEY) == found.head["secret_key_mark"]:
        return "same"
    home, kept = Home(settings.AIFS_HOME), found.secrets.get("SECRET_KEY")
    lines = home.stack_env.read_text().splitlines() if home.stack_env.exists() else []
    if not kept or f"SECRET_KEY={settings.SECRET_KEY}" not in lines:  # a key from the environment is the operator's
        return "other"
    lines = [f"SECRET_KEY={kept}" if line.startswith("SECRET_KEY=") else line for line in lines]
    write_private(home.stack_env, "\n".join(lines) + "\n")
    if found.secrets.get("access"):
        write_private(home.access, json.dumps(found.secrets["access"], indent=2) + "\n")
    return "restored"
