"""Kind lms.import: what a stranger may send, and what is refused."""

import json
import pickle
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.workers import tiny
from workers.errors import AifsError, InvalidInput
from workers.lms import gguf_export, model_folder


def import_files(directory: Path, source: Path) -> dict:
    return tiny.run(
        tiny.write_spec(directory, "lms.import", {"source": "u", "name": "tiny"}, {"source": ("upload", source, {})})
    )


def refused(directory: Path, source: Path) -> str:
    """The code of the refusal; nothing may have been announced."""
    with pytest.raises(AifsError) as caught:
        import_files(directory, source)
    assert not tiny.read_events(directory, "artefact")
    return caught.value.code


@pytest.fixture
def copy(tmp_path, tiny_model) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "sent" / "model"))


def packed(folder: Path, kind: str) -> Path:
    """A folder that holds only an archive of `folder`."""
    target = folder.parent.parent / "packed"
    target.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(target / "model.zip", "w") as archive:
            for path in folder.iterdir():
                archive.write(path, f"some/where/{path.name}")
    else:
        with tarfile.open(target / "model.tgz", "w:gz") as archive:
            archive.add(folder, "tiny")
    return target


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "folder"])
def test_model_is_imported(tmp_path, copy, kind):
    (copy / "README.md").write_text("# Tiny")
    (copy / "picture.png").write_bytes(b"png")
    result = import_files(tmp_path / "run", copy if kind == "folder" else packed(copy, kind))
    assert result == {"family": "llama", "format": "safetensors", "parameters": 90624, "dtype": "float32"}
    (artefact,) = tiny.read_events(tmp_path / "run", "artefact")
    assert artefact["artefact_type"] == "model_version"
    assert artefact["meta"]["context_length"] == 512
    assert artefact["meta"]["chat_template"] is True
    assert artefact["meta"]["shape"]["layers"] == 2
    out = tmp_path / "run" / artefact["path"]
    assert (out / "model.safetensors").read_bytes() == (copy / "model.safetensors").read_bytes()
    assert (out / "README.md").exists()
    assert not (out / "picture.png").exists()


@pytest.mark.parametrize("family", ["llama", "qwen2", "falcon", "bloom", "gpt2", "mistral", "mixtral"])
def test_family_is_recognised_from_the_config(copy, family):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": family}))
    assert model_folder.read_facts(copy).family == {"qwen2": "qwen"}.get(family, family)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "x.pkl", "deep/x.ckpt", "x.joblib"])
def test_pickles_are_refused_by_name(tmp_path, copy, name):
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"whatever")
    assert refused(tmp_path / "run", copy) == "model_pickle"


@pytest.mark.parametrize("name", ["weights.txt", "tokenizer.model"])
def test_pickles_are_refused_by_content(tmp_path, copy, name):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "canary",))

    (copy / name).write_bytes(pickle.dumps(Evil()))
    assert refused(tmp_path / "run", copy) == "model_pickle"
    assert not (tmp_path / "canary").exists()


def test_torch_file_alone_is_refused_and_not_unpacked(tmp_path):
    import torch

    (tmp_path / "sent").mkdir()
    torch.save({"w": torch.zeros(2)}, tmp_path / "sent" / "model.bin")
    assert refused(tmp_path / "run", tmp_path / "sent") == "model_pickle"


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("config.json", {"model_type": "llama", "auto_map": {"AutoModel": "evil.Evil"}}),
        ("config.json", {"model_type": "llama", "text_config": {"inner": [{"trust_remote_code": True}]}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}),
        ("generation_config.json", {"custom_pipelines": {"x": 1}}),
    ],
)
def test_configs_that_ask_for_code_are_refused(tmp_path, copy, file, value):
    (copy / file).write_text(json.dumps(value))
    assert refused(tmp_path / "run", copy) == "model_code"


def test_program_code_is_refused(tmp_path, copy):
    (copy / "modeling_evil.py").write_text("raise SystemExit")
    assert refused(tmp_path / "run", copy) == "model_code"


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("model.safetensors", "model_without_weights"),
        ("config.json", "model_without_config"),
        ("tokenizer.json", "model_without_tokenizer"),
    ],
)
def test_incomplete_folder_is_refused(tmp_path, copy, missing, code):
    (copy / missing).unlink()
    assert refused(tmp_path / "run", copy) == code


def test_missing_shard_is_named(copy):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    with pytest.raises(InvalidInput, match="00002-of-00002"):
        model_folder.read_facts(copy)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 6) + b"[" * 6,
        struct.pack("<Q", 100_000) + b"[" * 100_000,
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 15) + b'{"a": {"b": 1}}',
    ],
)
def test_broken_weights_are_refused(tmp_path, copy, content):
    (copy / "model.safetensors").write_bytes(content)
    assert refused(tmp_path / "run", copy) == "model_broken_weights"


def test_truncated_weights_are_refused(tmp_path, copy):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert refused(tmp_path / "run", copy) == "model_broken_weights"


@pytest.mark.parametrize(
    "text", ["", "[]", "{not json", "[" * 100_000, '{"model_type": "llama", "num_hidden_layers": 1e9}']
)
def test_broken_configs_are_refused(tmp_path, copy, text):
    (copy / "config.json").write_text(text)
    assert refused(tmp_path / "run", copy) in {"model_json", "model_config"}


def test_unknown_architecture_is_refused(tmp_path, copy):
    (copy / "config.json").write_text('{"model_type": "no-such-model"}')
    assert refused(tmp_path / "run", copy) == "model_unknown"


@pytest.mark.parametrize("content", [b"", b"NOPE", b"GGUF", b"GGUF" + bytes(range(256)) * 8])
def test_broken_gguf_is_refused(tmp_path, content):
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "model.gguf").write_bytes(content)
    assert refused(tmp_path / "run", tmp_path / "sent") == "gguf_unreadable"


def test_a_vocabulary_that_does_not_fit_its_merges_is_refused(tmp_path, copy):
    """The tokenizer's library does not raise, it panics."""
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = []
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    sent = tmp_path / "gguf"
    sent.mkdir()
    gguf_export.export(copy, sent / "model.gguf")
    assert refused(tmp_path / "run", sent) == "gguf_unreadable"


def test_empty_upload_is_refused(tmp_path):
    (tmp_path / "sent").mkdir()
    assert refused(tmp_path / "run", tmp_path / "sent") == "model_empty"


def test_link_in_a_folder_is_refused(tmp_path, copy):
    (copy / "LICENSE").symlink_to("/etc/passwd")
    assert refused(tmp_path / "run", copy) == "model_link"
