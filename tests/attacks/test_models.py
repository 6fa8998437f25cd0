"""Models that bring code: refused before anything opens them, and also under `python -O`, where no assert holds."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import ROOT

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


PICKLES = ("pytorch_model.bin", "model.pt", "a.pkl", "b.joblib", "deep/c.ckpt", "d.pickle")
ATTACKS: dict[str, Attack] = {
    **{
        name: pickled(name)
        for name in ("pytorch_model.bin", "model.pt", "a.pkl", "b.joblib", "deep/c.ckpt", "d.pickle")
    },
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
