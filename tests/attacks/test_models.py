"""Models that bring code: refused before anything opens them, and also under `python -O`, where no assert holds."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import ROOT
from tests.workers import tiny
from workers.errors import AifsError

Attack = Callable[[Path, Path], None]


class Touch:
    """A pickle that leaves a file behind when it is opened."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.canary),)


def pickled(name: str, protocol: int = 2) -> Attack:
    def make(folder: Path, canary: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(Touch(canary), protocol))

    return make


def torch_zip(folder: Path, canary: Path) -> None:
    import torch

    torch.save(Touch(canary), folder / "tokenizer.model")


def legacy_tar(folder: Path, canary: Path) -> None:
    """Torch's format of 2016: a tar that holds pickles."""
    pickled("storages")(folder, canary)
    with tarfile.open(folder / "weights.pt", "w") as archive:
        archive.add(folder / "storages", "storages")
    (folder / "storages").unlink()


def config(file: str, **values: Any) -> Attack:
    def make(folder: Path, canary: Path) -> None:
        path = folder / file
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | values))

    return make


def code(name: str) -> Attack:
    def make(folder: Path, canary: Path) -> None:
        (folder / name).write_text(f"import os\nos.mkdir({str(canary)!r})\n")

    return make


def keras(folder: Path, canary: Path) -> None:
    (folder / "model.keras").write_bytes(b"PK\x03\x04")


def skops(folder: Path, canary: Path) -> None:
    """Scikit-learn's zip, with a list of what it wants to be trusted with."""
    with zipfile.ZipFile(folder / "model.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps({"__loader__": "FunctionNode", "trusted": ["os.mkdir"]}))


def field(number: int, value: bytes | int) -> bytes:
    """One field of a protocol buffer; texts of fewer than 16,384 bytes."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value) & 0x7F | 0x80, len(value) >> 7]) + value


def onnx(location: str) -> bytes:
    """An ONNX model of one tensor whose numbers are to be read from another file."""
    place = field(13, field(1, b"location") + field(2, location.encode()))
    tensor = field(1, 4) + field(2, 1) + field(8, b"weight") + place + field(14, 1)
    return field(1, 8) + field(7, field(2, b"graph") + field(5, tensor))


PICKLES = ("pytorch_model.bin", "model.pt", "a.pkl", "b.joblib", "deep/c.ckpt", "d.pickle")
ATTACKS: dict[str, Attack] = {
    **{name: pickled(name) for name in PICKLES},
    "skops": skops,
    "skops that is no zip": pickled("model.SKOPS", 0),
    "pickle called .txt": pickled("notes.txt", 4),
    "pickle called tokenizer": pickled("tokenizer.model", 5),
    "torch zip called tokenizer": torch_zip,
    "legacy tar": legacy_tar,
    "keras": keras,
    "auto_map": config("config.json", auto_map={"AutoModel": "evil.Evil"}),
    "auto_map of the tokenizer": config("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]}),
    "nested trust_remote_code": config("config.json", text_config={"deep": [{"trust_remote_code": True}]}),
    "trust_remote_code as text": config("generation_config.json", trust_remote_code="yes"),
    "custom pipelines": config("config.json", custom_pipelines={"x": {"impl": "evil.Evil"}}),
    "in a folder below": lambda folder, canary: (
        (folder / "inner").mkdir(),
        config("inner/config.json", auto_map={"AutoConfig": "other/repo--evil.Evil"})(folder, canary),
    )[1],
    "program": code("modeling_evil.py"),
    "package": lambda folder, canary: ((folder / "evil").mkdir(), code("evil/__init__.py")(folder, canary))[1],
}

CHECK = """
    import sys
    from pathlib import Path
    from workers.errors import AifsError
    from workers.lms.model_folder import refuse_unsafe
    assert False, "this runs under -O, where asserts are no checks"
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        try:
            refuse_unsafe(folder)
            print(folder.name, "accepted")
        except AifsError as error:
            print(folder.name, error.code)
"""


@pytest.fixture
def attacked(tmp_path: Path, tiny_model: Path) -> tuple[Path, Path, list[str]]:
    """(a folder for each attack and an innocent one, the canary, names in order)."""
    root, canary = tmp_path / "sent", tmp_path / "canary"
    for number, attack in enumerate([*ATTACKS.values(), lambda _folder, _canary: None]):
        folder = root / f"{number:02d}"
        shutil.copytree(tiny_model, folder)
        attack(folder, canary)
    return root, canary, [*ATTACKS, "innocent"]


def test_what_could_run_code_is_refused_also_without_asserts(attacked: tuple[Path, Path, list[str]]) -> None:
    root, canary, names = attacked
    ran = subprocess.run(
        [sys.executable, "-O", "-c", textwrap.dedent(CHECK), str(root)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found = dict(zip(names, (line.split(" ", 1)[1] for line in ran.stdout.splitlines()), strict=True))
    assert found.pop("innocent") == "accepted"
    assert set(found.values()) <= {"model_pickle", "model_code"}, found
    assert not canary.exists()


def sent(tmp_path: Path, folder: Path, packed: bool) -> Path:
    """A job's directory for importing the folder, as it is or as a zip."""
    source = folder
    if packed:
        (source := tmp_path / "packed").mkdir()
        shutil.make_archive(str(source / "model"), "zip", folder)
    return tiny.write_spec(
        tmp_path / "run", "lms.import", {"source": "u", "name": "tiny"}, {"source": ("upload", source, {})}
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["a.pkl", "b.joblib", "skops", "pickle called .txt"])
def test_good_weights_beside_a_pickle_are_not_imported(
    tmp_path: Path, tiny_model: Path, name: str, packed: bool
) -> None:
    folder, canary = tmp_path / "sent", tmp_path / "canary"
    shutil.copytree(tiny_model, folder)
    ATTACKS[name](folder, canary)
    with pytest.raises(AifsError) as caught:
        tiny.run(sent(tmp_path, folder, packed))
    assert caught.value.code == "model_pickle"
    assert not tiny.read_events(tmp_path / "run", "artefact")
    assert not canary.exists()


@pytest.mark.parametrize("alone", ["model.skops", "model.joblib"])
def test_a_pickle_alone_is_not_unpacked(tmp_path: Path, alone: str) -> None:
    (tmp_path / "sent").mkdir()
    skops(tmp_path / "sent", tmp_path / "canary")
    (tmp_path / "sent" / "model.skops").rename(tmp_path / "sent" / alone)
    with pytest.raises(AifsError) as caught:
        tiny.run(sent(tmp_path, tmp_path / "sent", packed=False))
    assert caught.value.code == "model_pickle"
    assert not list((tmp_path / "run").rglob("schema.json"))


@pytest.mark.parametrize("packed", [False, True])
def test_onnx_is_left_behind_unread_and_named(tmp_path: Path, tiny_model: Path, packed: bool) -> None:
    """Nothing here opens ONNX, so that its references to other files lead nowhere; the import says that it stayed."""
    folder, secret = tmp_path / "sent", tmp_path / "secret.bin"
    shutil.copytree(tiny_model, folder)
    secret.write_bytes(b"canary of another project")
    (folder / "onnx").mkdir()
    for name, location in (("model.onnx", "../secret.bin"), ("onnx/deep.onnx", str(secret))):
        (folder / name).write_bytes(onnx(location))
    assert tiny.run(sent(tmp_path, folder, packed))["format"] == "safetensors"
    (artefact,) = tiny.read_events(tmp_path / "run", "artefact")
    kept = [path for path in (tmp_path / "run" / artefact["path"]).rglob("*") if path.is_file()]
    assert not [path for path in kept if path.suffix == ".onnx" or b"canary of" in path.read_bytes()]
    left = [event["data"]["files"] for event in tiny.read_events(tmp_path / "run", "log") if "files" in event["data"]]
    assert left == ["model.onnx, onnx/deep.onnx"]


def test_onnx_alone_is_refused_by_name(tmp_path: Path, tiny_model: Path) -> None:
    """Its folder may look like a model's in all else."""
    folder = tmp_path / "sent"
    shutil.copytree(tiny_model, folder)
    for path in folder.glob("*.safetensors"):
        path.rename(path.with_suffix(".onnx"))
    with pytest.raises(AifsError) as caught:
        tiny.run(sent(tmp_path, folder, packed=False))
    assert (caught.value.code, caught.value.data) == ("model_onnx", {"file": "model.onnx"})


def test_no_loader_is_called_without_its_locks() -> None:
    """Every place that lets transformers or torch open a file says what it must not do."""
    for path in [*(ROOT / "workers").rglob("*.py"), *(ROOT / "apps").rglob("*.py")]:
        text = path.read_text()
        assert "trust_remote_code=True" not in text, path
        assert "weights_only=False" not in text, path
        assert "pickle.load" not in text, path
        assert "joblib.load" not in text, path
        assert "yaml.unsafe_load" not in text, path
        assert "Loader=yaml.Loader" not in text, path
        for call in ("AutoModelForCausalLM.from_pretrained(", "torch.load("):
            for place in text.split(call)[1:]:
                options = place.split(")\n")[0]
                locked = "use_safetensors=True" in options or "gguf_file=" in options or "weights_only=True" in options
                assert locked, f"{path}: {call}"
