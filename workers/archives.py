"""Unpacking archives that strangers send: nothing leaves the target folder, and a bomb is refused before it grows.

Memory stays small whatever the archive claims: entries are read one after another, sizes are counted while they are
written, and the directory of a zip is measured before it is parsed.
"""

import contextlib
import gzip
import io
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from workers.errors import InvalidInput, LimitReached
from workers.words import marked as _

BLOCK = 1 << 20
_EXTENDED_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
_LITTER = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|\._[^/]*$)")


@dataclass(frozen=True)
class Limits:
    """What an archive may hold. ratio: bytes unpacked per byte read, looked at once `free_bytes` are unpacked."""

    entries: int = 2_000
    total_bytes: int = 2 << 40
    ratio: int = 100
    free_bytes: int = 32 << 20
    directory_bytes: int = 2 << 20
    """Size of a zip's central directory."""
    header_bytes: int = 1 << 20
    """Size of a tar's extended header, which is read into memory."""


def kind_of(path: Path) -> str:
    """`zip`, `tar`, `tar.gz` or an empty string, told by content and not by name."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "tar.gz" if _holds_tar(path) else ""
    return "tar" if head[257:262] == b"ustar" or _is_old_tar(head) else ""


def unpack(archive: Path, into: Path, limits: Limits = Limits()) -> list[Path]:
    """Write the regular files of a .zip, .tar or .tar.gz under `into`. Returns their paths.

    Raises InvalidInput for names that lead outside, links, devices, repeated or encrypted entries and damaged archives,
    LimitReached for bombs. A refused archive leaves nothing behind that was not there before.
    """
    kind = kind_of(archive)
    if not kind:
        raise InvalidInput(
            _("%(file)s is not an archive that can be opened."),
            hint=_("Send a .zip, .tar or .tar.gz file."),
            code="archive_unknown",
            file=archive.name,
        )
    into.mkdir(parents=True, exist_ok=True)
    room = min(limits.total_bytes, shutil.disk_usage(into).free)
    written: list[Path] = []
    try:
        entries = _zip_entries(archive, limits, room) if kind == "zip" else _tar_entries(archive, limits, room)
        for name, content in entries:
            written.append(_write(into, name, content))
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, struct.error) as error:
        _remove(written, into)
        raise InvalidInput(
            _("The archive %(file)s is damaged: %(error)s"),
            code="archive_damaged",
            file=archive.name,
            error=str(error)[:300],
        ) from error
    except BaseException:
        _remove(written, into)
        raise
    return written


def opened(source: Path, scratch: Path, limits: Limits = Limits()) -> Path:
    """Folder with the files that were sent: `scratch` with what a single archive held, else `source` itself."""
    files = [path for path in source.rglob("*") if path.is_file()]
    if len(files) == 1 and kind_of(files[0]):
        unpack(files[0], scratch, limits)
        return scratch
    return source


def safe_name(name: str) -> PurePosixPath:
    """The relative path an entry may be written to. Raises InvalidInput when it could lead anywhere else."""
    path = PurePosixPath(name)
    bad = (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or any(ord(letter) < 32 for letter in name)
        or re.match(r"^[A-Za-z]:", name)
        or re.search(r"%(25)*(2e|2f|5c|00)", name, re.IGNORECASE)
        or any(len(part.encode(errors="surrogateescape")) > 255 for part in path.parts)
        or len(path.parts) > 32
    )
    if bad:
        raise InvalidInput(
            _("The archive holds an entry with an unsafe name: %(entry)s"),
            hint=_("Pack the folder again with plain relative names."),
            code="archive_unsafe_name",
            entry=ascii(name)[:200],
        )
    return path


# --- zip


def _zip_entries(archive: Path, limits: Limits, room: int) -> Iterator[tuple[str, IO[bytes]]]:
    entries, directory_bytes = _zip_directory(archive)
    if entries > limits.entries or directory_bytes > limits.directory_bytes:
        raise _too_many(archive, entries, limits)
    meter = _Meter(archive, limits, room)
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if entry.is_dir() or _LITTER.search(entry.filename):
                continue
            mode = entry.external_attr >> 16
            if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
                raise _not_a_file(entry.filename)
            if entry.flag_bits & 1:
                raise InvalidInput(_("The archive %(file)s is encrypted."), code="archive_encrypted", file=archive.name)
            meter.announce(entry.file_size, entry.compress_size)
            with opened.open(entry) as content:
                yield entry.filename, cast(IO[bytes], _Counted(content, meter))
            meter.read += entry.compress_size


def _zip_directory(archive: Path) -> tuple[int, int]:
    """(entries, bytes) of the central directory, read from the end record and without parsing the directory."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        file.seek(max(0, size - 65_557 - 20))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0:
            raise zipfile.BadZipFile("no end of central directory")
        entries, directory = struct.unpack_from("<HI", tail, at + 10)
        if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
            file.seek(struct.unpack_from("<Q", tail, at - 12)[0])
            record = file.read(56)
            if record[:4] == b"PK\x06\x06":
                entries, directory = struct.unpack_from("<QQ", record, 32)
    return int(entries), int(directory)


# --- tar


class _TarHeader(tarfile.TarInfo):
    """A header whose extensions are refused when they would fill the memory."""

    limit = Limits.header_bytes

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_TarHeader":
        header: _TarHeader = super().frombuf(buf, encoding, errors)  # type: ignore[assignment]
        if header.type in _EXTENDED_HEADERS and header.size > cls.limit:
            raise LimitReached(
                _("The archive holds a header of %(size)d bytes."), code="archive_bomb", size=header.size
            )
        return header


def _tar_entries(archive: Path, limits: Limits, room: int) -> Iterator[tuple[str, IO[bytes]]]:
    with archive.open("rb") as raw:
        meter = _Meter(archive, limits, room, source=raw)
        packed = kind_of(archive) == "tar.gz"
        plain: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        stream = _Counted(plain, meter)
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_TarHeader, bufsize=BLOCK) as opened:
            for count, entry in enumerate(opened, start=1):
                opened.members = []  # type: ignore[attr-defined]  # else every header stays in memory
                if count > limits.entries:
                    raise _too_many(archive, count, limits)
                if entry.isdir() or _LITTER.search(entry.name):
                    continue
                if not entry.isreg() or entry.issparse():
                    raise _not_a_file(entry.name)
                content = opened.extractfile(entry)
                if content is not None:
                    yield entry.name, content


def _holds_tar(path: Path) -> bool:
    with gzip.open(path) as file:
        try:
            head = file.read(512)
        except (OSError, EOFError, zlib.error):
            return False
    return head[257:262] == b"ustar" or _is_old_tar(head)


def _is_old_tar(head: bytes) -> bool:
    """A tar from before POSIX has no magic; its checksum tells."""
    if len(head) < 512 or not head[0]:
        return False
    try:
        return int(head[148:156].strip(b" \0") or b"-1", 8) == sum(head[:148]) + 8 * 32 + sum(head[156:512])
    except ValueError:
        return False


# --- counting and writing


class _Meter:
    """Counts what came out against what went in. Raises LimitReached as soon as that is out of proportion."""

    def __init__(self, archive: Path, limits: Limits, room: int, source: IO[bytes] | None = None) -> None:
        self.archive, self.limits, self.room, self.source = archive, limits, room, source
        self.read = 0
        self.written = 0
        self.current = 0

    def announce(self, size: int, compressed: int) -> None:
        """Look at what a zip entry claims before anything of it is read."""
        self.current = compressed
        self._judge(self.written + size, self.read + compressed)

    def add(self, count: int) -> None:
        self.written += count
        self._judge(self.written, self.source.tell() if self.source else self.read + self.current)

    def _judge(self, written: int, read: int) -> None:
        if written > self.room:
            raise LimitReached(
                _("The archive %(file)s needs more space than there is."),
                code="archive_too_large",
                file=self.archive.name,
            )
        if written > self.limits.free_bytes and written > read * self.limits.ratio:
            raise LimitReached(
                _("The archive %(file)s grows more than %(ratio)d times when it is unpacked."),
                hint=_("Real files do not; pack them without compression if they really are that repetitive."),
                code="archive_bomb",
                file=self.archive.name,
                ratio=self.limits.ratio,
            )


class _Counted(io.RawIOBase):
    """A stream that tells the meter what was read from it."""

    def __init__(self, stream: IO[bytes], meter: _Meter) -> None:
        self._stream, self._meter = stream, meter

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(BLOCK if size is None or size < 0 else min(size, BLOCK))
        self._meter.add(len(data))
        return data


def _write(into: Path, name: str, content: IO[bytes]) -> Path:
    path = into / safe_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            while block := content.read(BLOCK):
                file.write(block)
    except FileExistsError:
        raise InvalidInput(_("The archive holds %(entry)s twice."), code="archive_repeated", entry=name) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _remove(written: list[Path], into: Path) -> None:
    """Take back what a refused archive had written."""
    folders: set[Path] = set()
    for path in written:
        path.unlink(missing_ok=True)
        folders.update(parent for parent in path.parents if into in parent.parents)
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        with contextlib.suppress(OSError):  # something else lies in it
            folder.rmdir()


def _too_many(archive: Path, entries: int, limits: Limits) -> LimitReached:
    return LimitReached(
        _("The archive %(file)s holds more than %(limit)d entries."),
        code="archive_bomb",
        file=archive.name,
        entries=entries,
        limit=limits.entries,
    )


def _not_a_file(name: str) -> InvalidInput:
    return InvalidInput(
        _("The archive holds %(entry)s, which is a link or a device and not a file."),
        hint=_("Pack the files themselves; links are never followed."),
        code="archive_link",
        entry=ascii(name)[:200],
    )
