"""Which installation and which key: arguments, environment, AIFS_HOME, what `aifs login` stored, `var/` here."""

import json
import stat
from pathlib import Path

import pytest

from aifs.sdk import NotSignedIn
from aifs.sdk.access import Access, config_path, find_access, store_access


def leave(path: Path, key: str, url: str = "http://127.0.0.1:8000") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"url": url, "api_key": key, "project": "demo", "gateway_url": "http://127.0.0.1:8001"}))


def test_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSignedIn):
        find_access()
    leave(tmp_path / "var" / "access.json", "here")
    assert find_access().api_key == "here"
    leave(config_path(), "stored")
    assert find_access().api_key == "stored"
    leave(tmp_path / "home" / "access.json", "home")
    assert find_access() == Access("http://127.0.0.1:8000", "home", "demo", "http://127.0.0.1:8001")
    monkeypatch.setenv("AIFS_API_KEY", "environment")
    assert find_access().api_key == "environment"
    assert find_access(api_key="argument").api_key == "argument"


def test_a_stored_key_never_goes_to_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(config_path(), "stored")
    with pytest.raises(NotSignedIn):
        find_access("http://elsewhere:8000")
    monkeypatch.setenv("AIFS_URL", "http://elsewhere:8000")
    with pytest.raises(NotSignedIn):
        find_access()


def test_what_is_stored_only_the_user_reads() -> None:
    path = store_access(Access("http://127.0.0.1:8000", "secret"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_access().api_key == "secret"


def test_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    config_path().parent.mkdir(parents=True)
    config_path().write_text("{")
    leave(tmp_path / "var" / "access.json", "here")
    assert find_access().api_key == "here"
