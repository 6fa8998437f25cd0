"""Names that lead elsewhere, wherever a name is taken: nothing outside is read, nothing outside is written."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from apps.core.errors import InvalidInput, NotFound
from apps.core.selectors import find_artefact
from apps.core.storage import Storage, safe_join, storage
from apps.gpucloud.services.inputs import file_name
from tests import servers
from tests.attacks.furnished import Furnished, furnish
from tests.workers import tiny
from workers import archives
from workers.io import RunIO
from workers.lms import model_folder
from workers.spec import Spec

CANARY = "canary-5e1f0c"
NAMES = [
    "../canary", "../../canary", "../../../../../../../../etc/passwd", "%2e%2e/canary", "%252e%252e/canary",
    "%252e%252e%252fcanary", "..%2fcanary", "..\\canary", "..\\..\\canary", "/canary", "/etc/passwd", "C:\\canary",
    "//canary", "a/../../canary", "./../canary", "canary\0.json", "config.json\0", "config.json/../../canary",
    "....//canary", "..;/canary", "~/canary", "file:///etc/passwd", "objects/../../canary",
]  # fmt: skip

INSIDE = {"....//canary", "..;/canary", "~/canary", "file:///etc/passwd"}
"""Odd, but below a folder they stay there."""
INDEX_NAMES = ["../outside.safetensors", "/outside.safetensors", "a/../../outside.safetensors", "a\\b"]


@pytest.fixture
def place(db: Any) -> Furnished:
    return furnish()


@pytest.fixture
def canary() -> Any:
    """A file beside and above everything that is stored; whoever reads it has gone too far. One test at a time: all
    processes of a test run share the storage."""
    root = Path(storage().root)
    paths = {root / "canary", root.parent / "canary", settings.AIFS_HOME / "canary", root / "objects" / "canary"}
    with servers.locked(settings.AIFS_HOME / "canary.lock"):
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(CANARY)
        yield paths
        for path in paths:
            assert path.read_text() == CANARY
            path.unlink()


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.mark.parametrize("name", NAMES)
def test_downloads(place: Furnished, canary: Any, settings: Any, name: str) -> None:
    settings.WHITENOISE_USE_FINDERS = True
    api = place.house.api("owner")
    version = reverse("model-version-files", args=[place.ids["model-version"]])
    for path in (name, quote(name, safe=""), quote(name)):
        for url in (f"{version}{path}/", f"{version}{path}", f"/static/{path}"):
            answer = api.get(url)
            assert answer.status_code in {301, 400, 404}, (url, answer.status_code)
            said = body_of(answer)
            assert CANARY.encode() not in said
            assert b"root:" not in said


@pytest.mark.parametrize("name", NAMES)
def test_names_in_manifests_and_hashes(canary: Any, tmp_path: Path, name: str) -> None:
    """A manifest is only data: what it names is looked at again by whoever unpacks it."""
    if name in INSIDE or "%" in name:
        assert safe_join(tmp_path, name).resolve().is_relative_to(tmp_path)
    else:
        with pytest.raises(InvalidInput):
            safe_join(tmp_path, name)
    for look in (storage().open, storage().has, storage().local_path):
        with pytest.raises((InvalidInput, NotFound)):
            look(name)
    assert "/" not in file_name(name)
    assert "\\" not in file_name(name)
    assert "\0" not in file_name(name)
    assert file_name(name) not in {"..", "."}


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_is_no_path(place: Furnished, canary: Any, name: str) -> None:
    """Parameters that name an artefact or an upload find one of the project, or nothing."""
    api = place.house.api("owner")
    if "\0" not in name:
        with pytest.raises((InvalidInput, NotFound)):
            find_artefact(place.house.project, "dataset_version", name)
    for kind, params in (
        ("datasets.import", {"source": name, "name": "x"}),
        ("datasets.clean", {"dataset": name, "steps": []}),
        ("lms.import", {"source": name, "name": "x"}),
        ("lms.evaluate", {"model": name, "prompts": ["?"]}),
        ("lmt.sft", {"model": name, "dataset": name, "name": "x"}),
    ):
        body = {"project": place.house.project.slug, "kind": kind, "params": params}
        answer = api.post(reverse("job-list"), json.dumps(body), content_type="application/json")
        assert answer.status_code == 400, (kind, answer.content)
        assert CANARY.encode() not in answer.content
    preview = api.post(
        reverse("dataset-version-preview-upload"), json.dumps({"upload": name}), content_type="application/json"
    )
    assert preview.status_code == 400


@pytest.mark.parametrize("name", [name for name in NAMES if "\0" not in name])
def test_names_people_give_never_become_paths(place: Furnished, canary: Any, name: str) -> None:
    """A dataset, model, prompt, deployment or project may be called anything its form allows: it opens no file."""
    api = place.house.api("owner")
    for route, body in (
        ("dataset-list", {"name": name}),
        ("prompt-list", {"name": name}),
        ("deployment-list", {"name": name, "model": "thing"}),
        ("project-list", {"name": name, "slug": name}),
    ):
        answer = api.post(reverse(route), json.dumps(body), content_type="application/json")
        assert answer.status_code in {201, 400, 403}, (route, answer.content)
    page = place.house.client().get(reverse("datasets:dataset_list", args=[place.house.project.slug]))
    assert CANARY.encode() not in page.content


def test_links_in_what_a_run_leaves_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(CANARY)
    store = Storage(f"file://{tmp_path / 'store'}")
    for number, make in enumerate((os.symlink, lambda _target, link: os.symlink(tmp_path, link), os.mkfifo)):
        output = tmp_path / f"output-{number}"
        output.mkdir()
        (output / "fine.txt").write_text("fine")
        make(secret, output / "link") if make is not os.mkfifo else os.mkfifo(output / "link")
        with pytest.raises(InvalidInput):
            store.put_tree(output)
        with pytest.raises(InvalidInput):
            store.put_checkpoint("0197a1f0-0000-7000-8000-000000000000", 1, output)
    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert all(CANARY not in path.read_text() for path in kept)


@pytest.mark.parametrize("name", INDEX_NAMES)
def test_an_index_names_no_weights_outside_the_model(tmp_path: Path, tiny_model: Path, name: str) -> None:
    """A loader joins these names to the folder as they stand."""
    model = tmp_path / "model"
    model.mkdir()
    for path in tiny_model.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    (tmp_path / "outside.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    (model / "outside.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(model_folder.InvalidInput) as caught:
        model_folder.read_facts(model)
    assert caught.value.code == "model_index"


def test_a_job_cannot_announce_files_outside_its_folder(tmp_path: Path) -> None:
    spec = tiny.write_spec(tmp_path / "run", "gpucloud.check", {}, {})
    directory, io = spec.parent, RunIO(spec.parent, Spec.read(spec))
    for path in (Path("/etc"), directory / ".." / "elsewhere"):
        with pytest.raises(ValueError, match="not in the subpath"):
            io.artefact("x", "thing", path)


def test_archives_write_nothing_outside(tmp_path: Path) -> None:
    for name in NAMES:
        if name not in INSIDE:
            with pytest.raises(InvalidInput):
                archives.safe_name(name)


def test_nobody_is_told_what_lies_on_the_disk(place: Furnished) -> None:
    """An error names no folder of the server."""
    api = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {place.house.key('owner')}"})
    for url in ("/api/v1/nothing/", reverse("artefact-detail", args=["x"]), "/static/nothing.js", "/p/nothing/"):
        assert str(settings.BASE_DIR).encode() not in api.get(url).content
        assert str(settings.AIFS_HOME).encode() not in api.get(url).content
