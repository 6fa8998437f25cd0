"""Resumable uploads (tus 1.0). An upload that broke off goes on where it stopped, also in another process."""

import base64
import contextlib
import hashlib
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from aifs.sdk.errors import AifsError, ConnectionFailed, InvalidInput, NotFound, from_response

if TYPE_CHECKING:
    from aifs.sdk.client import Client

PART = 8 << 20
TRIES = 8
TUS = {"Tus-Resumable": "1.0.0"}


class Uploads:
    """Bring files to the server; the id that comes back is accepted by every import."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def send(self, path: str | Path, *, told: Callable[[int, int], None] | None = None) -> str:
        """Upload a file, or a folder as a .tar, and return the upload's id. told: called with (bytes sent, size).

        Raises NotFound when there is no such file, InvalidInput when it is empty.
        """
        path = Path(path).expanduser()
        if path.is_dir():
            with packed(path) as archive:
                return self._send_file(archive, told)
        if not path.is_file():
            raise NotFound(f"There is no file {path}.", code="no_file")
        return self._send_file(path, told)

    def _send_file(self, path: Path, told: Callable[[int, int], None] | None) -> str:
        size = path.stat().st_size
        if size == 0:
            raise InvalidInput(f"{path} is empty.", code="empty_file")
        memory = _Memory(self._client.access.url, self._client.project, path)
        location = memory.recall()
        offset = self._offset(location) if location else None
        if location is None or offset is None:
            location, offset = self._create(path.name, size), 0
            memory.keep(location)
        with path.open("rb") as source:
            while offset < size:
                offset = self._send_part(location, source, offset)
                if told:
                    told(offset, size)
        memory.forget()
        return location.rstrip("/").rsplit("/", 1)[-1]

    def _create(self, name: str, size: int) -> str:
        metadata = {"filename": name, "project": self._client.project}
        pairs = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())
        headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": pairs}
        response = self._client.send("POST", "uploads/", headers=headers)
        return response.headers["location"]

    def _offset(self, location: str) -> int | None:
        """How far an upload has come; None when the server no longer knows it."""
        try:
            response = self._client.send("HEAD", location, headers=TUS)
        except NotFound:
            return None
        return int(response.headers["upload-offset"])

    def _send_part(self, location: str, source: Any, offset: int) -> int:
        """Send the next part; after a broken connection ask where the server stands and go on there."""
        headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        for attempt in range(1, TRIES + 1):
            source.seek(offset)
            headers["Upload-Offset"] = str(offset)
            try:
                response = self._client.http.patch(location, content=source.read(PART), headers=headers)
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise ConnectionFailed(f"The upload broke off: {error}", code="no_connection") from error
            else:
                if response.is_success:
                    return int(response.headers["upload-offset"])
                failure = from_response(response)
                if response.status_code not in {409, 423, 502, 503} or attempt == TRIES:
                    raise failure
            time.sleep(min(0.3 * 2**attempt, 10))
            with contextlib.suppress(ConnectionFailed):
                known = self._offset(location)
                if known is None:
                    raise AifsError("The server no longer knows this upload.", code="upload_gone")
                offset = known
        raise AssertionError("the loop returns or raises")


class _Memory:
    """Where an unfinished upload of this very file lies on the server, kept in the user's cache folder."""

    def __init__(self, url: str, project: str, path: Path) -> None:
        state = path.stat()
        words = f"{url}|{project}|{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        self._file = base / "aifs" / "uploads" / f"{hashlib.sha256(words.encode()).hexdigest()[:32]}.json"

    def recall(self) -> str | None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return str(json.loads(self._file.read_text())["location"])
        return None

    def keep(self, location: str) -> None:
        with contextlib.suppress(OSError):  # a home that cannot be written costs only the resuming
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps({"location": location}))

    def forget(self) -> None:
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)


@contextlib.contextmanager
def packed(folder: Path) -> Iterator[Path]:
    """A folder as an uncompressed .tar of plain files (weights do not shrink), in a temporary place.

    Hidden files are left out; links are followed when they stay inside the folder, else refused.
    """
    folder = folder.resolve()
    with tempfile.TemporaryDirectory(prefix="aifs-") as place:
        archive = Path(place) / f"{folder.name}.tar"
        with tarfile.open(archive, "w", dereference=True) as tar:
            count = 0
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                if any(part.startswith(".") for part in name.parts) or not path.is_file():
                    continue
                if path.is_symlink() and not path.resolve().is_relative_to(folder.parent):
                    raise InvalidInput(f"{path} is a link that leads out of the folder.", code="bad_link")
                tar.add(path, arcname=str(Path(folder.name) / name), filter=_plain)
                count += 1
        if not count:
            raise InvalidInput(f"{folder} holds no files.", code="empty_folder")
        yield archive


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names and rights of this machine."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
