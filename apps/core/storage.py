"""Where bytes live: content-addressed objects, and a tree of checkpoints beside them (see DESIGN, Storage).

    objects/ab/abcdef…      one file per SHA-256, read-only, never changed
    trash/ab/abcdef…        objects that nothing named when it was last looked; still read, deleted later
    checkpoints/JOB/STEP/   a run's checkpoints, deleted as newer ones come
    tmp/                    what is being written; renamed when it is whole

A manifest maps a file's path to {"sha256", "size"}. On a local disk files are hard-linked in and out when that works.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import fsspec
from django.conf import settings
from django.utils.translation import gettext_noop as _

from apps.core.errors import AifsError, InvalidInput, NotFound
from workers.supervise import boot_id, identity, is_alive

Manifest = dict[str, dict[str, Any]]
BLOCK = 1 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class ChecksumMismatch(AifsError):
    """Stored bytes are not what was stored."""

    status, code = 500, "checksum_mismatch"


@dataclass(frozen=True)
class Stored:
    """A file in storage. since: when it was written, or came into the trash, by the storage's clock."""

    size: int
    since: datetime


def manifest_sha256(manifest: Manifest) -> str:
    """One hash for a whole tree: of its sorted paths, hashes and sizes."""
    rows = [[path, entry["sha256"], entry["size"]] for path, entry in sorted(manifest.items())]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def manifest_size(manifest: Manifest) -> int:
    return sum(int(entry["size"]) for entry in manifest.values())


def file_sha256(path: Path) -> tuple[str, int]:
    """Hash and size of a local file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source:
        while block := source.read(BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


class Storage:
    """url: any fsspec URL; `file://` (or a plain path) is the local disk."""

    def __init__(self, url: str) -> None:
        # no listing is remembered: what another process moved or deleted must not look as if it were there
        self.fs, root = fsspec.url_to_fs(url, use_listings_cache=False)
        self.root = str(root).rstrip("/")
        protocols = {self.fs.protocol} if isinstance(self.fs.protocol, str) else set(self.fs.protocol)
        self.local = "file" in protocols

    # --- objects

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file. Returns its hash and size. On a local disk it may become a hard link: leave it unchanged."""
        sha256, size = file_sha256(path)
        target = self._object(sha256)
        if not self._has(target, size):
            self._write(path, target, sha256)
        return sha256, size

    def put_tree(self, directory: Path) -> Manifest:
        """Store every file under a folder. Raises InvalidInput for links and for anything but plain files."""
        return {name: _entry(*self.put_file(path)) for name, path in _files(directory)}

    def has(self, sha256: str) -> bool:
        return any(self.fs.exists(place) for place in self._places(sha256))

    def list_objects(self) -> Iterator[tuple[str, int]]:
        """Hash and size of every stored file that can be read, in no order."""
        for prefix in self.folders():
            for sha256, stored in (self.list_trash(prefix) | self.list_folder(prefix)).items():
                yield sha256, stored.size

    def open(self, sha256: str) -> BinaryIO:
        """Read an object. Raises NotFound."""
        for place in self._places(sha256):
            with contextlib.suppress(FileNotFoundError):
                return cast(BinaryIO, self.fs.open(place, "rb"))
        raise NotFound(_("The stored file is gone."), sha256=sha256)

    def local_path(self, sha256: str) -> Path | None:
        """Where an object lies on this machine, for libraries that want a path; None when storage is elsewhere."""
        places = (Path(place) for place in self._places(sha256))
        return next((path for path in places if path.exists()), None) if self.local else None

    def fetch_file(self, sha256: str, target: Path) -> None:
        """Bring an object to a local path and check it. Raises ChecksumMismatch (the target is removed) or NotFound."""
        self._read(self._places(sha256), target, sha256)

    def fetch_tree(self, manifest: Manifest, directory: Path) -> None:
        """Bring a tree into a folder and check every file."""
        for name, entry in manifest.items():
            self.fetch_file(entry["sha256"], safe_join(directory, name))

    # --- the trash (see `services/collecting.py`)

    def folders(self) -> list[str]:
        """Beginnings of the hashes that lie here or in the trash, sorted: two digits each, so 256 at most."""
        paths = [path for root in ("objects", "trash") for path in self.fs.glob(f"{self.root}/{root}/*")]
        return sorted({PurePosixPath(path).name for path in paths})

    def list_folder(self, prefix: str) -> dict[str, Stored]:
        """Objects whose hash begins with these two digits, the trash left out."""
        return self._list(f"objects/{prefix}")

    def list_trash(self, prefix: str) -> dict[str, Stored]:
        return self._list(f"trash/{prefix}")

    def throw_away(self, sha256: str) -> None:
        """Into the trash: it is read as before, but no longer reused, so whoever stores the same bytes again writes
        them anew. At every moment it is in one of the two places."""
        self._move(self._object(sha256), self._object(sha256, "trash"))

    def bring_back(self, sha256: str) -> None:
        """Out of the trash."""
        self._move(self._object(sha256, "trash"), self._object(sha256))

    def empty_of(self, sha256: str) -> None:
        """Delete what lies in the trash under this hash."""
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self._object(sha256, "trash"))

    # --- checkpoints

    def put_checkpoint(self, job_id: object, step: int, directory: Path) -> Manifest:
        """Store a checkpoint folder; it is whole in storage when this returns, and counts once the row is written."""
        target = self._checkpoint(job_id, step)
        fresh = str(self._temporary()) if self.local else target
        manifest: Manifest = {}
        try:
            for name, path in _files(directory):
                sha256, size = file_sha256(path)
                self._write(path, f"{fresh}/{name}", sha256)
                manifest[name] = _entry(sha256, size)
        except BaseException:
            if self.local:
                shutil.rmtree(fresh, ignore_errors=True)
            raise
        if self.local:
            self.delete_checkpoint(job_id, step)
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            os.rename(fresh, target)
            _sync_folder(Path(target).parent)
        return manifest

    def fetch_checkpoint(self, job_id: object, step: int, manifest: Manifest, directory: Path) -> None:
        """Bring a checkpoint into a folder. Raises ChecksumMismatch or NotFound when it is not what was stored."""
        source = self._checkpoint(job_id, step)
        for name, entry in manifest.items():
            self._read((f"{source}/{_clean(name)}",), safe_join(directory, name), entry["sha256"])

    def open_checkpoint(self, job_id: object, step: int, name: str) -> BinaryIO:
        """Read one file of a checkpoint. Raises NotFound: checkpoints go as newer ones come."""
        try:
            return cast(BinaryIO, self.fs.open(f"{self._checkpoint(job_id, step)}/{_clean(name)}", "rb"))
        except FileNotFoundError:
            raise NotFound(_("The stored file is gone.")) from None

    def keep_checkpoint(self, job_id: object, step: int, manifest: Manifest) -> None:
        """Make these files of a checkpoint objects, so that they outlive it. Their hashes are checked when they are
        fetched, as those of every object. Raises NotFound."""
        source = self._checkpoint(job_id, step)
        for name, entry in manifest.items():
            path, target = f"{source}/{_clean(name)}", self._object(entry["sha256"])
            if self._has(target, entry["size"]):
                continue
            try:
                if self.local:
                    self._write(Path(path), target, entry["sha256"])
                else:
                    self.fs.copy(path, target)
            except FileNotFoundError:
                raise NotFound(_("The stored file is gone."), sha256=entry["sha256"]) from None

    def delete_checkpoint(self, job_id: object, step: int) -> None:
        """Remove a checkpoint; one that is not there is fine."""
        path = self._checkpoint(job_id, step)
        if self.local and Path(path).exists():
            doomed = self._temporary()
            os.rename(path, doomed)
            shutil.rmtree(doomed)
        elif self.fs.exists(path):
            self.fs.rm(path, recursive=True)

    def list_checkpoints(self) -> list[tuple[str, int]]:
        """(job, step) of every folder of checkpoints, whether anybody knows it or not."""
        paths = [PurePosixPath(path) for path in self.fs.glob(f"{self.root}/checkpoints/*/*")]
        return [(path.parent.name, int(path.name)) for path in paths if path.name.isdecimal()]

    def remove_abandoned(self) -> int:
        """Throw away what processes of this machine were writing when they died. Returns how many files and folders."""
        if not self.local:
            return 0
        removed = 0
        for path in (Path(self.root) / "tmp").glob(f"{_machine()}.*"):
            _machine_mark, pid, start, _id = path.name.split(".")
            if not is_alive({"pid": pid, "start": start, "boot": boot_id()}):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
                removed += 1
        return removed

    # --- inside

    def _object(self, sha256: str, folder: str = "objects") -> str:
        if not SHA256.fullmatch(sha256):
            raise InvalidInput(_("This is not a SHA-256 hash."))
        return f"{self.root}/{folder}/{sha256[:2]}/{sha256}"

    def _places(self, sha256: str) -> tuple[str, ...]:
        """Where an object may lie; the first place twice, as it may be brought back between two looks."""
        return self._object(sha256), self._object(sha256, "trash"), self._object(sha256)

    def _list(self, folder: str) -> dict[str, Stored]:
        found = self.fs.find(f"{self.root}/{folder}", detail=True).items()
        named = ((PurePosixPath(path).name, facts) for path, facts in found)
        return {name: Stored(int(facts["size"]), _since(facts)) for name, facts in named if SHA256.fullmatch(name)}

    def _move(self, source: str, target: str) -> None:
        """What is gone already is fine."""
        with contextlib.suppress(FileNotFoundError):
            if self.local:
                os.utime(source)
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                os.rename(source, target)
            else:
                self.fs.copy(source, target)
                self.fs.rm_file(source)

    def _checkpoint(self, job_id: object, step: int) -> str:
        return f"{self.root}/checkpoints/{uuid.UUID(str(job_id))}/{int(step)}"

    def _temporary(self) -> Path:
        """A new name on the same disk, which tells whose it is."""
        folder = Path(self.root) / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        me = identity(os.getpid())
        return folder / f"{_machine()}.{me['pid']}.{me['start']}.{uuid.uuid4().hex}"

    def _has(self, target: str, size: int) -> bool:
        try:
            return int(self.fs.size(target)) == size
        except FileNotFoundError:
            return False

    def _write(self, path: Path, target: str, sha256: str) -> None:
        """Local: link or copy under a temporary name, fsync, rename. Elsewhere one upload is already all or nothing."""
        if not self.local:
            self.fs.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            self.fs.put_file(str(path), target)
            return
        temporary = self._temporary()
        try:
            if not _link(path, temporary):
                _copy(path, temporary, sha256)
            os.utime(temporary)  # a linked file brings the time of its own making
            _sync(temporary)
            temporary.chmod(0o444)
            final = Path(target)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, final)
        finally:
            # replace() leaves both names when they already are one file
            temporary.unlink(missing_ok=True)
        _sync_folder(final.parent)

    def _read(self, places: tuple[str, ...], target: Path, sha256: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if not any(self._fetch(place, target) for place in places):
            raise NotFound(_("The stored file is gone."), sha256=sha256)
        found, _size = file_sha256(target)
        if found != sha256:
            target.unlink()
            raise ChecksumMismatch(_("A stored file has changed on disk."), sha256=sha256, found=found)

    def _fetch(self, place: str, target: Path) -> bool:
        """False when nothing is there."""
        try:
            if not (self.local and _link(Path(place), target)):
                self.fs.get_file(place, str(target))
        except FileNotFoundError:
            return False
        return True


def _since(facts: dict[str, Any]) -> datetime:
    """File systems of fsspec each have a name of their own for it."""
    found = next(facts[name] for name in ("LastModified", "mtime", "created") if name in facts)
    return found if isinstance(found, datetime) else datetime.fromtimestamp(found, UTC)


@lru_cache(maxsize=1)
def _machine() -> str:
    """This machine since its start, and the processes that can see each other on it."""
    return hashlib.sha256(f"{boot_id()} {os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:12]


@lru_cache(maxsize=8)
def _storage(url: str) -> Storage:
    return Storage(url)


def storage() -> Storage:
    """The storage that settings name."""
    return _storage(settings.STORAGE_URL)


def safe_join(directory: Path, name: str) -> Path:
    """A path below a folder. Raises InvalidInput when the name would lead out of it."""
    return directory / _clean(name)


def _clean(name: str) -> str:
    parts = PurePosixPath(name).parts
    bad = not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
    if bad:
        raise InvalidInput(_("“%(name)s” is not a file name that can be stored."), name=name[:200])
    return "/".join(parts)


def _entry(sha256: str, size: int) -> dict[str, Any]:
    return {"sha256": sha256, "size": size}


def _files(directory: Path) -> list[tuple[str, Path]]:
    """Relative name and path of every file, sorted. Links are refused: they could point anywhere."""
    found = []
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InvalidInput(_("“%(name)s” is a link or a special file; only plain files can be stored."), name=name)
        if path.is_file():
            found.append((name, path))
    return found


def _link(path: Path, target: Path) -> bool:
    """Hard-link when both are on one disk."""
    try:
        os.link(path, target)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def _copy(path: Path, target: Path, sha256: str) -> None:
    shutil.copyfile(path, target)
    if file_sha256(target)[0] != sha256:
        raise ChecksumMismatch(_("A file changed while it was being stored."), sha256=sha256)


def _sync(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _sync_folder(path: Path) -> None:
    """Make a rename last. Some network disks refuse to sync a folder; the rename itself holds there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
