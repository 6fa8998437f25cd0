"""Resumable uploads against the real tus endpoint."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from aifs.sdk import Client, InvalidInput, NotFound
from aifs.sdk import uploads as sdk_uploads
from apps.core.models import Upload
from apps.core.storage import storage


class Breaking(httpx.BaseTransport):
    """Breaks the connection at some calls: before the server sees them, or after."""

    def __init__(self, inner: httpx.BaseTransport, before: set[int], after: set[int]) -> None:
        self.inner, self.before, self.after, self.patches = inner, before, after, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "PATCH":
            return self.inner.handle_request(request)
        self.patches += 1
        if self.patches in self.before:
            raise httpx.ConnectError("broken")
        response = self.inner.handle_request(request)
        if self.patches in self.after:
            response.read()
            raise httpx.ReadError("broken")
        return response


@pytest.fixture(autouse=True)
def _small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_uploads, "PART", 1000)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def test_a_file_arrives_whole(connect: Callable[..., Client], tmp_path: Path) -> None:
    path = tmp_path / "行数据.jsonl"
    path.write_bytes(bytes(range(256)) * 10)
    told: list[tuple[int, int]] = []
    id = connect("expert").uploads.send(path, told=lambda sent, size: told.append((sent, size)))
    upload = Upload.objects.get(pk=id)
    assert (upload.filename, upload.size_bytes) == ("行数据.jsonl", 2560)
    with storage().open(upload.sha256) as file:
        assert file.read() == path.read_bytes()
    assert told == [(1000, 2560), (2000, 2560), (2560, 2560)]


def test_a_broken_connection_costs_nothing(
    connect: Callable[..., Client], transport: httpx.BaseTransport, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(bytes(range(256)) * 10)
    breaking = Breaking(transport, before={2, 3}, after={4})
    upload = Upload.objects.get(pk=connect(transport=breaking).uploads.send(path))
    with storage().open(upload.sha256) as file:
        assert file.read() == path.read_bytes()


def test_another_process_goes_on_where_one_stopped(
    connect: Callable[..., Client], transport: httpx.BaseTransport, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"x" * 2500)
    dying = Breaking(transport, before=set(range(3, 99)), after=set())
    with pytest.raises(sdk_uploads.ConnectionFailed):
        connect(transport=dying).uploads.send(path)
    assert Upload.objects.get().offset_bytes == 2000
    told: list[int] = []
    connect().uploads.send(path, told=lambda sent, size: told.append(sent))
    assert told == [2500]
    assert Upload.objects.get().sha256


def test_a_folder_goes_as_a_tar_without_hidden_files(connect: Callable[..., Client], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "weights.safetensors").write_bytes(b"w" * 10)
    (folder / ".secret").write_text("no")
    upload = Upload.objects.get(pk=connect().uploads.send(folder))
    assert upload.filename == "model.tar"
    path = storage().local_path(upload.sha256)
    assert path
    with tarfile.open(path) as tar:
        assert sorted(tar.getnames()) == ["model/config.json", "model/sub/weights.safetensors"]


def test_what_cannot_be_sent_is_said_before_anything_is(connect: Callable[..., Client], tmp_path: Path) -> None:
    client = connect()
    with pytest.raises(NotFound):
        client.uploads.send(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    with pytest.raises(InvalidInput):
        client.uploads.send(tmp_path / "empty")
    (tmp_path / "outer" / "folder").mkdir(parents=True)
    (tmp_path / "outer" / "folder" / "link").symlink_to("/etc/hostname")
    with pytest.raises(InvalidInput):
        client.uploads.send(tmp_path / "outer" / "folder")
    assert not Upload.objects.exists()
