"""The SDK talks to the real application, served in the same process: no ports, the test's own database transaction."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from aifs.sdk import Client

if TYPE_CHECKING:
    from tests.factories import House


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes what the developer's own `aifs` command uses."""
    for name in ("AIFS_URL", "AIFS_API_KEY", "AIFS_PROJECT", "AIFS_GATEWAY_URL", "AIFS_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AIFS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def house(db: None) -> "House":
    from tests.factories import make_house  # models are ready only when a test runs

    return make_house()


@pytest.fixture
def transport() -> Iterator[httpx.BaseTransport]:
    from django.core.signals import request_finished, request_started
    from django.core.wsgi import get_wsgi_application
    from django.db import close_old_connections

    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)  # the test's transaction lives on this connection
    yield httpx.WSGITransport(app=get_wsgi_application())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def connect(house: "House", transport: httpx.BaseTransport) -> Callable[..., Client]:
    """`connect("expert")`: a client with that person's key."""

    def make(part: str = "owner", **options: object) -> Client:
        options = {"url": "http://127.0.0.1", "api_key": house.key(part), "transport": transport} | options
        return Client(**options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def run_cli(
    house: "House", transport: httpx.BaseTransport, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`run_cli("datasets", "list", part="viewer")` → exit status, standard output, standard error."""
    from aifs.sdk import cli
    from aifs.sdk.cli import signin

    def run(*arguments: str, part: str = "owner") -> tuple[int, str, str]:
        monkeypatch.setattr(cli, "Client", partial(Client, transport=transport))
        monkeypatch.setattr(signin, "Client", partial(Client, transport=transport))
        monkeypatch.setenv("AIFS_URL", "http://127.0.0.1")
        if part:
            monkeypatch.setenv("AIFS_API_KEY", house.key(part))
        status = cli.main(arguments)
        out, err = capfd.readouterr()
        return status, out, err

    return run
