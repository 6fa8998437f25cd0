"""A backup as a folder or as one tar file: the same members, written and read in the same order."""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

from aifs.backup import BackupError

BLOCK = 1 << 20
SNAPSHOT = r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z"
MEMBER = re.compile(
    rf"(snapshots/({SNAPSHOT})/(backup\.json|checkpoints\.json|files\.txt|database\.dump|secrets\.json|end\.json)"
    r"|objects/([0-9a-f]{2})/(\4[0-9a-f]{62}))"
)
HEAD = ("backup.json", "checkpoints.json", "files.txt", "database.dump", "secrets.json")
END = "end.json"


class Writer(Protocol):
    """has: the file is there from an earlier snapshot. put returns the hash of what was read; at most `size` bytes are
    read, and less is an error. What is not as `expected` does not take its place in a folder; a tar file holds it, and
    the end must name it. finish writes the end, which makes the snapshot whole. discard leaves nothing."""

    def has(self, sha256: str, size: int) -> bool: ...
    def put(self, name: str, source: BinaryIO, size: int, expected: str = "") -> str: ...
    def finish(self, end: dict[str, Any]) -> None: ...
    def discard(self) -> None: ...


def object_name(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"


def is_tar(path: Path) -> bool:
    return path.name.endswith((".tar", ".tar.zst"))


class HashingReader:
    """Passes bytes on and hashes them; tells when the source was shorter than it said."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self.source, self.left, self.digest = source, size, hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        block = self.source.read(min(count, self.left) if count >= 0 else self.left)
        self.left -= len(block)
        self.digest.update(block)
        return block


class FolderWriter:
    def __init__(self, path: Path, snapshot: str) -> None:
        if path.exists() and not path.is_dir():
            raise BackupError(f"{path} is a file; name a folder, or a file that ends in .tar or .tar.zst.")
        if path.is_dir() and any(path.iterdir()) and not (path / "snapshots").is_dir():
            raise BackupError(f"{path} holds other things; choose an empty folder, or one with earlier backups.")
        self.path, self.snapshot = path, path / "snapshots" / snapshot
        for folder in (path, path / "snapshots", self.snapshot, path / "objects"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(path / "tmp", ignore_errors=True)  # of a backup that was killed
        (path / "tmp").mkdir(mode=0o700)

    def has(self, sha256: str, size: int) -> bool:
        try:
            return (self.path / object_name(sha256)).stat().st_size == size
        except FileNotFoundError:
            return False

    def put(self, name: str, source: BinaryIO, size: int, expected: str = "") -> str:
        target, temporary = self.path / name, self.path / "tmp" / uuid.uuid4().hex
        target.parent.mkdir(exist_ok=True, mode=0o700)
        reader = HashingReader(source, size)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            shutil.copyfileobj(reader, file, BLOCK)
            file.flush()
            os.fsync(file.fileno())
        if reader.left:
            raise BackupError(f"{name} became shorter while it was copied.")
        found = reader.digest.hexdigest()
        temporary.replace(target) if expected in {"", found} else temporary.unlink()
        return found

    def finish(self, end: dict[str, Any]) -> None:
        text = json.dumps(end, indent=1).encode()
        self.put(f"snapshots/{self.snapshot.name}/{END}", io.BytesIO(text), len(text))
        shutil.rmtree(self.path / "tmp")

    def discard(self) -> None:
        """Copied files stay for the next try; nothing names them, and pruning removes them."""
        shutil.rmtree(self.snapshot, ignore_errors=True)
        shutil.rmtree(self.path / "tmp", ignore_errors=True)


class TarWriter:
    """Under a temporary name until it is whole."""

    def __init__(self, path: Path, snapshot: str) -> None:
        if path.exists():
            raise BackupError(f"{path} exists; a backup never overwrites.")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.snapshot = path, snapshot
        self.partial = path.with_name(f".{path.name}.partial")
        os.close(os.open(self.partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        self.stream = _output(self.partial, path.name.endswith(".zst"))
        self.tar = tarfile.TarFile.open(fileobj=cast(Any, self.stream), mode="w|", format=tarfile.PAX_FORMAT)

    def has(self, sha256: str, size: int) -> bool:
        return False

    def put(self, name: str, source: BinaryIO, size: int, expected: str = "") -> str:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        reader = HashingReader(source, size)
        try:
            self.tar.addfile(entry, cast(BinaryIO, reader))
        except OSError as error:
            if reader.left:
                raise BackupError(f"{name} could not be copied whole: {error}") from error
            raise
        return reader.digest.hexdigest()

    def finish(self, end: dict[str, Any]) -> None:
        text = json.dumps(end, indent=1).encode()
        self.put(f"snapshots/{self.snapshot}/{END}", io.BytesIO(text), len(text))
        self.tar.close()
        self.stream.close()
        with self.partial.open("rb") as written:
            os.fsync(written.fileno())
        self.partial.replace(self.path)

    def discard(self) -> None:
        with contextlib.suppress(Exception):  # closing may fail as writing did: the disk is full
            self.stream.close()
        self.partial.unlink(missing_ok=True)


def _output(path: Path, compressed: bool) -> BinaryIO:
    if not compressed:
        return path.open("wb")
    import pyarrow  # the standard library of Python 3.11 has no zstd

    return cast(BinaryIO, pyarrow.output_stream(str(path), compression="zstd"))


def writer(path: Path, snapshot: str) -> Writer:
    return TarWriter(path, snapshot) if is_tar(path) else FolderWriter(path, snapshot)


# --- reading


def snapshots(path: Path) -> list[str]:
    """Whole snapshots of a folder, oldest first."""
    return sorted(
        end.parent.name for end in (path / "snapshots").glob(f"*/{END}") if re.fullmatch(SNAPSHOT, end.parent.name)
    )


def members(path: Path, snapshot: str = "") -> Iterator[tuple[str, BinaryIO]]:
    """Name (without its snapshot) and bytes of every member, in the order of writing.

    Raises BackupError for what is no backup, and where a tar file is cut off.
    """
    if not path.exists():
        raise BackupError(f"There is no {path}.")
    return _of_tar(path) if path.is_file() else _of_folder(path, snapshot)


def _of_folder(path: Path, snapshot: str) -> Iterator[tuple[str, BinaryIO]]:
    whole = snapshots(path)
    if not whole:
        unfinished = any((path / "snapshots").glob("*")) if (path / "snapshots").is_dir() else False
        why = "holds no backup that was finished" if unfinished else "is no backup of AIFS"
        raise BackupError(f"{path} {why}.")
    if snapshot and snapshot not in whole:
        raise BackupError(f"{path} has no snapshot {snapshot}; it has {', '.join(whole)}.")
    folder = path / "snapshots" / (snapshot or whole[-1])
    for name in HEAD:
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                yield name, file
    for line in (folder / "files.txt").read_text().splitlines():
        sha256 = line.partition(" ")[0]
        with contextlib.suppress(FileNotFoundError), (path / object_name(sha256)).open("rb") as file:
            yield object_name(sha256), file
    with (folder / END).open("rb") as file:
        yield END, file


def _of_tar(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    with damage_named(path), _input(path) as stream, tarfile.open(fileobj=cast(Any, stream), mode="r|") as tar:
        for entry in tar:
            match = MEMBER.fullmatch(entry.name)
            file = tar.extractfile(entry) if match and entry.isfile() else None
            if match is None or file is None:
                raise BackupError(f"{path} is no backup of AIFS: it holds “{entry.name[:80]}”.")
            yield match[3] or entry.name, cast(BinaryIO, Member(file, path))


class Member:
    """One file of a tar, read by whoever asked for it: there, too, the end of a cut off file is met."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.file, self.path = file, path

    def read(self, count: int = -1) -> bytes:
        with damage_named(self.path):
            return self.file.read(count)


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """What tarfile and pyarrow raise for a broken file; a full or broken disk is another matter."""
    try:
        yield
    except (tarfile.TarError, OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BackupError(f"{path} is no whole backup of AIFS; it is cut off or damaged: {error}") from error


def _input(path: Path) -> BinaryIO:
    if not path.name.endswith(".zst"):
        return path.open("rb")
    import pyarrow

    return cast(BinaryIO, pyarrow.input_stream(str(path), compression="zstd"))


def prune(path: Path, keep: int) -> int:
    """Remove all but the newest whole snapshots, and files that no snapshot left names. Returns how many files."""
    names = snapshots(path)
    for name in names[:-keep]:
        (path / "snapshots" / name / END).unlink()  # first: what is half removed must not look whole
        shutil.rmtree(path / "snapshots" / name)
    named = {
        line.partition(" ")[0]
        for files in (path / "snapshots").glob("*/files.txt")
        for line in files.read_text().splitlines()
    }
    removed = 0
    for file in (path / "objects").glob("*/*"):
        if file.name not in named:
            file.unlink()
            removed += 1
    return removed
