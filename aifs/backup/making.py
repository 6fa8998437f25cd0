"""Making a backup: the database at one moment, then every stored file it may name."""

import contextlib
import hashlib
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from aifs.backup import FORMAT, BackupError, postgres
from aifs.backup.archive import Writer, is_tar, object_name, prune, writer
from aifs.database import Unusable, check_server
from aifs.embedded.home import Home, read_json
from apps.core.errors import NotFound
from apps.core.storage import storage
from apps.gpucloud.services.checkpoints import BACKUP_LOCK

Tell = Callable[[str, int, int], None]
"""What is done, how much of it, of how much; bytes."""
DUMP_SHARE = 1.0
"""Of the database's size: a dump is compressed, but nobody promises how well."""
MARK = b"aifs backup"


@dataclass
class Wanted:
    """What one moment of the database asks for. referenced: hashes that artefacts and uploads name."""

    migrations: dict[str, list[str]]
    checkpoints: list[dict[str, Any]]
    referenced: set[str]
    database_bytes: int
    server: int
    dumped_with: int = 0


@dataclass
class Files:
    """sizes: by hash. sources: how a file that is no stored object (of a checkpoint) is opened."""

    sizes: dict[str, int] = field(default_factory=dict)
    sources: dict[str, tuple[str, int, str]] = field(default_factory=dict)


def secret_mark(secret: str) -> str:
    """Tells one SECRET_KEY from another, and gives nothing of it away: it is long and random."""
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), MARK, 100_000).hex()[:32]


def back_up(path: Path, tell: Tell, *, with_secrets: bool = False, keep: int = 0) -> dict[str, Any]:
    """Write a backup to a folder or a new tar file. keep: how many snapshots a folder holds afterwards; 0 keeps all.

    Returns what was done. Raises BackupError, and leaves nothing that looks whole.
    """
    if keep and is_tar(path):
        raise BackupError("--keep is for folders; a tar file is one backup.")
    try:
        check_server(settings.DATABASE_URL)
    except Unusable as error:
        raise BackupError(str(error)) from None
    began, snapshot = time.monotonic(), datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    out = writer(path, snapshot)
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".aifs-backup-", dir=path.parent if is_tar(path) else path) as work,
            checkpoints_stay(),
        ):
            dump = Path(work) / "database.dump"
            wanted = _dump(dump, tell)
            files = _files(wanted)
            copied = {sha: size for sha, size in files.sizes.items() if not out.has(sha, size)}
            _check_space(path, sum(copied.values()) + (dump.stat().st_size if is_tar(path) else 0))
            head = _head(wanted, files, snapshot, with_secrets)
            marks = _write_head(out, snapshot, head, wanted, files, dump, with_secrets)
            vanished, damaged = _copy(out, files, copied, tell)
            out.finish({"members": marks, "vanished": vanished, "damaged": damaged})
    except BaseException:
        out.discard()
        raise
    result = {
        "backup": str(path), "snapshot": snapshot, "database_bytes": marks["database.dump"]["size"],
        "files": len(files.sizes), "bytes": sum(files.sizes.values()),
        "files_copied": len(copied) - len(vanished) - len(damaged), "bytes_copied": sum(copied.values()),
        "missing": head["missing"], "damaged": damaged, "secrets": with_secrets,
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    if keep:
        result["files_pruned"] = prune(path, keep)
    return result


@contextlib.contextmanager
def checkpoints_stay() -> Iterator[None]:
    """Runs go on and put newer checkpoints in the place of older ones: these stay until they are copied."""
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock_shared(%s, %s)", BACKUP_LOCK)
        yield


def _dump(target: Path, tell: Tell) -> Wanted:
    """Dump what one snapshot shows, and read from the same snapshot which files belong to it."""
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        wanted = _ask(session)
        tell("database", 0, wanted.database_bytes)
        _check_space(target.parent, int(wanted.database_bytes * DUMP_SHARE))
        row = session.execute("SELECT pg_export_snapshot()").fetchone()
        wanted.dumped_with = postgres.dump(settings.DATABASE_URL, str(row and row[0]), wanted.server, target)
        tell("database", wanted.database_bytes, wanted.database_bytes)
    return wanted


def _ask(session: psycopg.Connection) -> Wanted:
    if not session.execute("SELECT to_regclass('django_migrations')").fetchone() == ("django_migrations",):
        raise BackupError("This database holds no AIFS: it was never prepared (`manage.py prepare`).")
    migrations: dict[str, list[str]] = {}
    for app, name in session.execute("SELECT app, name FROM django_migrations ORDER BY app, id").fetchall():
        migrations.setdefault(app, []).append(name)
    rows = session.execute(
        "SELECT job_id::text, step, manifest FROM gpucloud_checkpoint WHERE deleted_at IS NULL AND broken_at IS NULL"
    ).fetchall()
    referenced = session.execute(
        "SELECT file.value->>'sha256' FROM core_artefact, jsonb_each(manifest) AS file "
        "UNION SELECT sha256 FROM core_upload WHERE sha256 <> ''"
    ).fetchall()
    size = session.execute("SELECT pg_database_size(current_database())").fetchone()
    return Wanted(
        migrations,
        [{"job": job, "step": step, "manifest": manifest} for job, step, manifest in rows],
        {sha for (sha,) in referenced},
        int(size[0]) if size else 0,
        postgres.major(session),
    )


def _files(wanted: Wanted) -> Files:
    """Every stored object, and the files of checkpoints that are still there."""
    files = Files(dict(storage().list_objects()))
    there = set(storage().list_checkpoints())
    wanted.checkpoints = [point for point in wanted.checkpoints if (point["job"], point["step"]) in there]
    for point in wanted.checkpoints:
        for name, entry in point["manifest"].items():
            if entry["sha256"] not in files.sizes:
                files.sizes[entry["sha256"]] = entry["size"]
                files.sources[entry["sha256"]] = (point["job"], point["step"], name)
    return files


def _head(wanted: Wanted, files: Files, snapshot: str, with_secrets: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_at": snapshot,
        "aifs": package_version("aifs"),
        "migrations": wanted.migrations,
        "postgres": {"server": wanted.server, "pg_dump": wanted.dumped_with, "bytes": wanted.database_bytes},
        "files": {"count": len(files.sizes), "bytes": sum(files.sizes.values())},
        "checkpoints": len(wanted.checkpoints),
        "missing": sorted(wanted.referenced - files.sizes.keys()),
        "secret_key_mark": secret_mark(settings.SECRET_KEY),
        "secrets": with_secrets,
    }


def _write_head(
    out: Writer, snapshot: str, head: dict[str, Any], wanted: Wanted, files: Files, dump: Path, with_secrets: bool
) -> dict[str, dict[str, Any]]:
    """Everything but the files; the hash and size of each."""
    listed = "".join(f"{sha} {size}\n" for sha, size in sorted(files.sizes.items()))
    texts = {"backup.json": json.dumps(head, indent=1), "checkpoints.json": json.dumps(wanted.checkpoints)}
    texts["files.txt"] = listed
    marks = {}
    for name, text in texts.items():
        marks[name] = _put(out, f"snapshots/{snapshot}/{name}", text.encode())
    with dump.open("rb") as file:
        size = dump.stat().st_size
        marks["database.dump"] = {"sha256": out.put(f"snapshots/{snapshot}/database.dump", file, size), "size": size}
    if with_secrets:
        secrets = {"SECRET_KEY": settings.SECRET_KEY, "access": read_json(Home(settings.AIFS_HOME).access)}
        marks["secrets.json"] = _put(out, f"snapshots/{snapshot}/secrets.json", json.dumps(secrets).encode())
    return marks


def _put(out: Writer, name: str, content: bytes) -> dict[str, Any]:
    return {"sha256": out.put(name, io.BytesIO(content), len(content)), "size": len(content)}


def _copy(out: Writer, files: Files, copied: dict[str, int], tell: Tell) -> tuple[list[str], list[str]]:
    """Copy and verify. Returns what was deleted meanwhile (a checkpoint whose job was set back to an earlier one), and
    what has changed on disk: one rotten file is no reason to save none."""
    done, total = 0, sum(copied.values())
    vanished: list[str] = []
    damaged: list[str] = []
    for sha256, size in sorted(copied.items()):
        tell("files", done, total)
        try:
            source = storage().open_checkpoint(*files.sources[sha256]) if sha256 in files.sources else None
            with source or storage().open(sha256) as file:
                found = out.put(object_name(sha256), file, size, expected=sha256)
        except NotFound:
            vanished.append(sha256)
            continue
        if found != sha256:
            damaged.append(sha256)
        done += size
    tell("files", total, total)
    return vanished, damaged


def _check_space(place: Path, needed: int) -> None:
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise BackupError(f"{place} has {free >> 20} MiB free; {(needed >> 20) + 1} MiB are needed.")
