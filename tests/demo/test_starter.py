"""The command that fetches the starter model alone."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aifs.demo import starter


def test_prints_where_the_model_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "demo" / "starter" / starter.FILE
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    monkeypatch.setenv("AIFS_HOME", str(tmp_path))
    monkeypatch.setattr(starter, "SHA256", hashlib.sha256(b"weights").hexdigest())
    starter.main()
    assert capsys.readouterr().out == f"{model}\n"


def test_says_that_it_could_not_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(command: list[str], **_options: Any) -> None:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setenv("AIFS_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", unreachable)
    with pytest.raises(SystemExit, match="could not be fetched"):
        starter.main()
