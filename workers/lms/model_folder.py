"""What a folder with a language model holds: is it safe, is it whole, and what is it? Nothing here loads weights."""

import json
import math
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workers.errors import InvalidInput
from workers.words import marked as _

FAMILIES = {
    "llama": "llama",
    "mistral": "mistral",
    "mixtral": "mixtral",
    "qwen2": "qwen",
    "qwen2_moe": "qwen",
    "qwen3": "qwen",
    "qwen3_moe": "qwen",
    "falcon": "falcon",
    "falcon_h1": "falcon",
    "bloom": "bloom",
    "gpt2": "gpt2",
    "phi": "phi",
    "phi3": "phi",
    "gemma": "gemma",
    "gemma2": "gemma",
    "gemma3_text": "gemma",
}
"""`model_type` of a config → the family people call it by; any other type is its own family."""

KEPT = re.compile(
    r"\.(safetensors|json|jinja|model|tiktoken|txt|md)$|^(LICENSE|LICENCE|NOTICE|USE_POLICY)[^/]*$", re.IGNORECASE
)
"""Files of a model that are carried into the store; anything else is left behind."""

PICKLES = re.compile(r"\.(bin|pt|pth|pkl|pickle|ckpt|joblib|skops|npy|npz|h5|keras|msgpack)$", re.IGNORECASE)
CODE_KEYS = {"auto_map", "custom_pipelines", "trust_remote_code"}
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8",
    "F8_E5M2": "float8",
}
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "seq_length")
MAX_HEADER_BYTES = 100_000_000
MAX_LAYERS = 2_000


@dataclass(frozen=True)
class Facts:
    """What the store shows of a model. parameters: numbers in the files; shape: the sizes an estimate needs."""

    family: str
    format: str
    parameters: int
    dtype: str
    context_length: int | None
    architecture: str = ""
    chat_template: bool = False
    shape: dict[str, int] = field(default_factory=dict)

    def meta(self) -> dict[str, Any]:
        return asdict(self)


def refuse_unsafe(folder: Path) -> None:
    """Raise InvalidInput when something in the folder could run code: pickles, Python, a config that wants it."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise InvalidInput(_("%(file)s is a link; links are never followed."), code="model_link", file=path.name)
        if not path.is_file():
            continue
        refuse_pickle(path)
        if path.suffix == ".py":
            raise InvalidInput(
                _("%(file)s is program code; a model may not bring its own."),
                hint=_("Use a model of an architecture that the transformers library already knows."),
                code="model_code",
                file=path.name,
            )
        if path.suffix == ".json" and (key := _code_key(read_json(path))):
            raise InvalidInput(
                _("%(file)s asks for program code that is not part of this system (%(key)s)."),
                hint=_("Use a model of an architecture that the transformers library already knows."),
                code="model_code",
                file=path.name,
                key=key,
            )


def refuse_pickle(path: Path) -> None:
    """Raise InvalidInput when the file is a pickle by name or by content."""
    if PICKLES.search(path.name) or _is_pickle(path):
        raise InvalidInput(
            _("%(file)s is a pickle or another format that can run code when it is opened; it was not read."),
            hint=_("Save the model again with save_pretrained, which writes safetensors, and leave this file out."),
            code="model_pickle",
            file=path.name,
        )


def read_facts(folder: Path) -> Facts:
    """Look at config, tokenizer and the headers of the weights. Raises InvalidInput when one is missing or broken."""
    config = _config(folder)
    kind = str(config.get("model_type") or "")
    sizes: Counter[str] = Counter()
    for path in weight_files(folder):
        for header in read_header(path).values():
            sizes[str(header["dtype"])] += math.prod(header["shape"])
    _require_tokenizer(folder)
    text = config.get("text_config") or config
    context = next((int(text[key]) for key in CONTEXT_KEYS if isinstance(text.get(key), int)), None)
    dtype = sizes.most_common(1)[0][0]
    return Facts(
        family=FAMILIES.get(kind, kind),
        format="safetensors",
        parameters=sizes.total(),
        dtype=DTYPES.get(dtype, dtype.lower()),
        context_length=context,
        architecture=next(iter(config.get("architectures") or []), ""),
        chat_template=_has_template(folder),
        shape=_shape(text),
    )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files, all that the index names. Raises InvalidInput when there is none or one is missing."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        named = read_json(index).get("weight_map")
        names = sorted({str(name) for name in named.values()}) if isinstance(named, dict) else []
        for name in names:  # loaders join it to the folder as it stands
            if Path(name).name != name or "\\" in name or "\0" in name:
                raise InvalidInput(
                    _("The index names %(file)s, which lies outside the model."), code="model_index", file=name[:200]
                )
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise InvalidInput(
                _("The weights are not complete: %(file)s is missing."), code="model_incomplete", file=str(missing[0])
            )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InvalidInput(
            _("The folder holds no weights."),
            hint=_("Weights are read from .safetensors files or from a single .gguf file."),
            code="model_without_weights",
        )
    return files


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """Tensor name → {"dtype", "shape", "data_offsets"}. Raises InvalidInput unless the file is whole safetensors."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise _broken(path)
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise _broken(path) from None
    if not isinstance(header, dict):
        raise _broken(path)
    header.pop("__metadata__", None)
    try:
        end = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
        whole = all(isinstance(number, int) and number >= 0 for entry in header.values() for number in entry["shape"])
    except (KeyError, TypeError, ValueError, IndexError):
        raise _broken(path) from None
    if not header or not whole or end != size - 8 - length:
        raise _broken(path)
    return header


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            _("%(file)s is not valid JSON: %(error)s"), code="model_json", file=path.name, error=str(error)[:200]
        ) from None


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise InvalidInput(
            _("The folder holds no config.json, so the kind of model cannot be told."),
            hint=_("Send the whole folder as save_pretrained wrote it."),
            code="model_without_config",
        )
    config = read_json(path)
    text = config.get("text_config") or config if isinstance(config, dict) else {}
    layers = text.get("num_hidden_layers", text.get("n_layer", 0)) if isinstance(text, dict) else 0
    if (
        not isinstance(config, dict)
        or not config.get("model_type")
        or not isinstance(layers, int)
        or layers > MAX_LAYERS
    ):
        raise InvalidInput(_("config.json does not describe a model."), code="model_config")
    return config


def _shape(config: dict[str, Any]) -> dict[str, int]:
    names = {
        "hidden_size": ("hidden_size", "n_embd"),
        "layers": ("num_hidden_layers", "n_layer"),
        "intermediate_size": ("intermediate_size", "ffn_hidden_size", "n_inner"),
        "heads": ("num_attention_heads", "n_head"),
        "vocab_size": ("vocab_size",),
        "kv_heads": ("num_key_value_heads", "num_attention_heads", "n_head"),
        "head_size": ("head_dim",),
    }
    found = {
        name: next((config[key] for key in keys if isinstance(config.get(key), int)), 0) for name, keys in names.items()
    }
    if not found["intermediate_size"]:
        found["intermediate_size"] = 4 * found["hidden_size"]
    return found


def _require_tokenizer(folder: Path) -> None:
    single = any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    pair = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    if not single and not pair:
        raise InvalidInput(
            _("The folder holds no tokenizer."),
            hint=_("Add tokenizer.json and tokenizer_config.json of the model."),
            code="model_without_tokenizer",
        )


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    path = folder / "tokenizer_config.json"
    return path.is_file() and bool(read_json(path).get("chat_template"))


def _is_pickle(path: Path) -> bool:
    """By content: a pickle of protocol 2 to 5, or the zip that torch.save writes."""
    if path.suffix == ".safetensors":
        return False  # starts with the length of its header, which may look like anything; `read_header` checks it
    if zipfile.is_zipfile(path):
        return True  # no part of a model is a zip
    with path.open("rb") as file:
        head = file.read(2)
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _code_key(value: Any) -> str:
    """The first key that asks for code, however deep it lies."""
    for inner in _walk(value):
        found = CODE_KEYS & inner.keys()
        for key in sorted(found):
            if inner[key]:
                return key
    return ""


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield current
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _broken(path: Path) -> InvalidInput:
    return InvalidInput(
        _("%(file)s is not a whole safetensors file."),
        hint=_("Copy it again; its size does not fit what its header says."),
        code="model_broken_weights",
        file=path.name,
    )
