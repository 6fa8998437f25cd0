"""Open any file a user brings: unpack, find encoding and kind of file, give its rows one by one with bounded memory.

A row that cannot be read comes as a BadRow in its place; the rows after it are read all the same.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from workers.datasets.base import RAW_CHARS, ROW_CHARS, BadRow, Row, containers
from workers.datasets.encodings import ON_ERROR, detect_encoding, spot_bad_bytes
from workers.errors import InvalidInput
from workers.words import marked as _

CHUNK_BYTES = 1 << 18
HEAD_BYTES = 1 << 18
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Head:
    """The beginning of a file, for telling what it is. suffix: of the name without `.gz`, lower case, with the dot."""

    suffix: str
    data: bytes
    text: str

    def lines(self, count: int = 20) -> list[str]:
        """The first whole lines that are not blank (the last one may be cut, so it is left out unless alone)."""
        lines = self.text.split("\n")
        whole = lines[:-1] if len(lines) > 1 else lines
        return [line for line in whole if line.strip()][:count]


@dataclass
class Source:
    """An open file. encoding: a codec name, empty for binary files; container: a name of the registry."""

    path: Path
    filename: str
    encoding: str
    container: str
    size_bytes: int
    head: Head
    _raw: BinaryIO | None = field(default=None, repr=False)

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row or what is wrong with it, from the start. Raises InvalidInput when the file itself is broken."""
        try:
            for row in containers.get(self.container).rows(self):
                if isinstance(row, dict) and (bad := spot_bad_bytes(row)):
                    yield bad
                else:
                    yield row
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidInput(
                _("The compressed file %(file)s is damaged: %(error)s."),
                hint=_("Send it again, or pack it anew."),
                file=self.filename,
                error=str(error),
            ) from None

    def described(self) -> dict[str, Any]:
        return {
            "filename": self.filename,
            "size_bytes": self.size_bytes,
            "container": self.container,
            "encoding": self.encoding.removesuffix("-sig"),
        }

    def open(self) -> BinaryIO:
        """The bytes, unpacked."""
        self._raw = self.path.open("rb")
        return unpacked(self._raw)

    @property
    def position(self) -> int:
        """Bytes of the file read so far, packed ones when it is packed."""
        return 0 if self._raw is None or self._raw.closed else self._raw.tell()

    def chunks(self) -> Iterator[str]:
        """The text in pieces. Bytes that do not decode become lone surrogates, so that only their row is lost."""
        with self.open() as file:
            decoder = codecs.getincrementaldecoder(self.encoding)(ON_ERROR)
            while data := file.read(CHUNK_BYTES):
                if text := decoder.decode(data):
                    yield text
            if text := decoder.decode(b"", final=True):
                yield text

    def lines(self) -> Iterator[str | BadRow]:
        """Lines without their ends; one that is too large comes as a BadRow and is never held whole."""
        return bounded_lines(self.chunks(), ROW_CHARS)


def bounded_lines(chunks: Iterator[str], limit: int) -> Iterator[str | BadRow]:
    """Split pieces of text at line feeds. A line of more than `limit` characters becomes a BadRow."""
    held: list[str] = []
    size = 0

    def finish(last: str) -> str | BadRow:
        total = size + len(last)
        if total > limit:
            start = "".join(held) or last
            return BadRow("row_too_large", f"{total} > {limit}", start[:RAW_CHARS])
        return ("".join(held) + last).removesuffix("\r")

    for chunk in chunks:
        *whole, rest = chunk.split("\n")
        for part in whole:
            yield finish(part)
            held, size = [], 0
        size += len(rest)
        if size <= limit:
            held.append(rest)
        elif held:
            held = ["".join(held)[:RAW_CHARS]]
        else:
            held = [rest[:RAW_CHARS]]
    if size:
        yield finish("")


def unpacked(raw: BinaryIO) -> BinaryIO:
    """The file itself, or what it holds when it is gzip."""
    magic = raw.read(2)
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw, mode="rb") if magic == GZIP else raw  # type: ignore[return-value]


def open_source(path: Path, filename: str = "", encoding: str = "auto", container: str = "auto") -> Source:
    """Find out what a file is. encoding, container: `auto`, or what the user says.

    Raises InvalidInput when it is empty, of no known kind, or in no known encoding.
    """
    filename = filename or path.name
    source = Source(path, filename, "", container, path.stat().st_size, Head("", b"", ""))
    suffix = suffix_of(filename)
    try:
        with source.open() as file:
            data = file.read(HEAD_BYTES)
            if not data.strip(b"\x00\t\n\r \xef\xbb\xbf\xff\xfe"):
                raise InvalidInput(_("The file %(file)s is empty."), code="empty_file", file=filename)
            binary = [name for name, kind in containers.items() if kind.binary and kind.claims(Head(suffix, data, ""))]
            if not binary:
                source.encoding = known_encoding(encoding, filename) or detect_encoding(data, file, filename)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput(
            _("The compressed file %(file)s is damaged: %(error)s."), file=filename, error=str(error)
        ) from None
    text = codecs.getincrementaldecoder(source.encoding)(ON_ERROR).decode(data) if source.encoding else ""
    source.head = Head(suffix, data, text)
    if container == "auto":
        source.container = binary[0] if binary else surest_container(source.head)
    return source


def suffix_of(filename: str) -> str:
    """Lower case, with the dot; of a packed file that of what is in it."""
    return Path(filename.lower().removesuffix(".gz")).suffix


def known_encoding(name: str, filename: str) -> str:
    """The codec of a name the user gave; empty for `auto`."""
    if name in ("", "auto"):
        return ""
    try:
        codec = codecs.lookup(name)
        io.TextIOWrapper(io.BytesIO(), codec.name)  # refuses codecs that do not give text
    except LookupError:
        raise InvalidInput(
            _("There is no encoding named %(name)s."),
            hint=_("Known ones are utf-8, gb18030, utf-16, big5 and latin-1."),
            code="unknown_encoding",
            name=name,
            file=filename,
        ) from None
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def surest_container(head: Head) -> str:
    claims = {name: kind.claims(head) for name, kind in containers.items() if not kind.binary}
    return max(claims, key=lambda name: claims[name])
