"""Storages of every kind. Imports of ours wait until Django is set up."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import s3fs
from moto.server import ThreadedMotoServer


@pytest.fixture(params=["file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The local disk, a storage that is none, and a bucket of a server that speaks S3."""
    from apps.core.storage import Storage

    if request.param == "file":
        return Storage(f"file://{tmp_path / 'store'}")
    if request.param == "s3":
        return request.getfixturevalue("bucket")
    fsspec.filesystem("memory").store.clear()
    return Storage("memory://store")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket, reached as in production: the address and the keys come from the environment."""
    from apps.core.storage import Storage

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(name)
    yield Storage(f"s3://{name}/aifs")
    s3fs.S3FileSystem.clear_instance_cache()
