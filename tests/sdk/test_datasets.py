"""Datasets and models by the SDK and the command: list, show, look in, take out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aifs.sdk import Client, NotFound
from aifs.sdk.datasets import summary
from aifs.sdk.models import summary as model_summary
from apps.core.services import register_artefact
from apps.core.storage import storage
from apps.lms.models import Model, ModelVersion
from tests.datasets.making import make_version
from tests.factories import House

# Exports are streamed by asynchronous views, which read the database on connections of their own.
pytestmark = pytest.mark.django_db(transaction=True)
Run = Callable[..., tuple[int, str, str]]


def make_model(house: House, tmp_path: Path) -> ModelVersion:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "model.safetensors").write_bytes(b"w" * 100)
    model = Model.objects.create(project=house.project, name="tiny")
    manifest = storage().put_tree(folder)
    artefact = register_artefact(project=house.project, type="model_version", name="tiny:1", manifest=manifest)
    return ModelVersion.objects.create(artefact=artefact, model=model, number=1, format="safetensors", parameters=25)


def test_datasets(connect: Callable[..., Client], house: House, tmp_path: Path) -> None:
    first = make_version(house, tmp_path)
    make_version(house, tmp_path / "again", rows=["{broken", {"instruction": "only", "output": "one"}])
    client = connect("viewer")
    assert [(row["name"], row["version_count"]) for row in client.datasets.list()] == [("facts", 2)]
    assert client.datasets.version("facts")["number"] == 2
    assert client.datasets.version("facts:1")["id"] == str(first.pk)
    assert summary(client.datasets.version("facts:1")) == {
        "dataset": "facts", "version": 1, "format": "messages", "rows_in": 5, "rows": 4, "quarantined": 1,
    }  # fmt: skip
    assert len(client.datasets.preview("facts:1", 2)["rows"]) == 2
    assert client.datasets.preview("facts", quarantine=True)["rows"][0]["reason"] == "bad_json"
    for ref in ("facts:9", "nobody", "facts:x"):
        with pytest.raises(NotFound):
            client.datasets.version(ref)
    with pytest.raises(NotFound):
        connect("stranger").datasets.version(str(first.pk))


def test_export_writes_the_whole_file_or_nothing(connect: Callable[..., Client], house: House, tmp_path: Path) -> None:
    make_version(house, tmp_path)
    path = connect().datasets.export("facts", tmp_path / "out" / "rows.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows[-1]["messages"][0]["content"] == "数据放在哪里？"
    with pytest.raises(NotFound):
        connect().datasets.export("nobody", tmp_path / "out" / "nothing.jsonl")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["rows.jsonl"]


def test_models(connect: Callable[..., Client], house: House, tmp_path: Path) -> None:
    version = make_model(house, tmp_path)
    client = connect("viewer")
    assert [row["name"] for row in client.models.list()] == ["tiny"]
    found = model_summary(client.models.version("tiny"))
    assert found == {
        "model": "tiny", "version": 1, "family": "", "format": "safetensors", "parameters": 25, "bytes": 102,
        "sha256": version.artefact.sha256,
    }  # fmt: skip
    folder = client.models.export("tiny:1", tmp_path / "out")
    assert (folder / "sub" / "model.safetensors").read_bytes() == b"w" * 100
    with pytest.raises(NotFound):
        client.models.version("tiny:2")


def test_the_command(run_cli: Run, house: House, tmp_path: Path) -> None:
    make_version(house, tmp_path)
    make_model(house, tmp_path)
    assert json.loads(run_cli("datasets", "show", "facts", "--json")[1])["rows"] == 4
    assert "facts" in run_cli("datasets", "list")[1]
    assert "What is AIFS?" in run_cli("datasets", "preview", "facts", "--rows", "1")[1]
    assert "bad_json" in run_cli("datasets", "preview", "facts", "--quarantine")[1]
    target = tmp_path / "rows.csv"
    assert run_cli("datasets", "export", "facts", str(target))[0] == 0
    assert target.read_text(encoding="utf-8-sig").startswith("id,messages")
    assert "tiny" in run_cli("models", "list")[1]
    assert json.loads(run_cli("models", "show", "tiny", "--json")[1])["model_name"] == "tiny"
    assert run_cli("models", "export", "tiny", str(tmp_path / "out"))[0] == 0
