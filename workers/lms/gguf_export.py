"""Write a Llama-family model (safetensors, `config.json`, `tokenizer.json`) as one F16 GGUF file.

Layout of the file: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Tensors are converted one by one, so that
the export needs the memory of the largest tensor and not of the model.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.errors import InvalidInput
from workers.words import marked as _

if TYPE_CHECKING:
    import gguf
    import numpy as np

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""`model_type` of a config → architecture name in the file. Mistral without a sliding window is a llama."""

LAYER_PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TOP_PARTS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Token types of the file format."""

NUMPY_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def why_not(config: dict[str, Any]) -> str:
    """Empty when a model with this config can be written without changing what it computes, else the reason."""
    kind = config.get("model_type", "")
    if kind not in ARCHITECTURES:
        return f"model type {kind!r}"
    if config.get("hidden_act", "silu") != "silu":
        return f"activation {config['hidden_act']!r}"
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        return "scaled rotary positions"
    if kind == "llama" and (config.get("attention_bias") or config.get("mlp_bias")):
        return "biases"
    if config.get("quantization_config"):
        return "quantised weights"
    if _slides(config):
        return "sliding-window attention"
    if kind != "qwen3" and head_size(config) * config["num_attention_heads"] != config["hidden_size"]:
        return "a head size of its own"
    return ""


def _slides(config: dict[str, Any]) -> bool:
    window = config.get("sliding_window")
    used = config.get("use_sliding_window", config.get("model_type") == "mistral")
    return bool(window and used and window < config.get("max_position_embeddings", 0))


def head_size(config: dict[str, Any]) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def export(model: Path, target: Path) -> Path:
    """Write the model in folder `model` to the file `target`.

    Raises InvalidInput when the folder is not whole or the architecture cannot be written.
    """
    import gguf

    config = json.loads((model / "config.json").read_text())
    reason = why_not(config)
    if reason:
        raise InvalidInput(_("This model cannot be written as GGUF: %(reason)s."), reason=reason)
    writer = gguf.GGUFWriter(target, ARCHITECTURES[config["model_type"]])
    _add_config(writer, config)
    _add_tokenizer(writer, model, config["vocab_size"])
    shapes = dict(_shapes(model, config))
    for name, shape in shapes.items():
        kind = _dtype(shape)
        writer.add_tensor_info(name, shape, kind, int(_count(shape) * kind.itemsize))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for values in _tensors(model, config):
        writer.write_tensor_data(values)
    writer.close()
    return target


# --- what the model is


def _add_config(writer: "gguf.GGUFWriter", config: dict[str, Any]) -> None:
    rope = {**config, **(config.get("rope_parameters") or {})}
    writer.add_file_type(1)  # mostly F16
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config.get("max_position_embeddings", 2048))
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config.get("num_key_value_heads") or config["num_attention_heads"])
    writer.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-6))
    writer.add_rope_freq_base(float(rope.get("rope_theta", 10000.0)))
    writer.add_rope_dimension_count(head_size(config))
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_vocab_size(config["vocab_size"])


# --- its tokenizer


def _add_tokenizer(writer: "gguf.GGUFWriter", model: Path, rows: int) -> None:
    """Vocabulary, merges and special tokens from `tokenizer.json`; embeddings without a token get a name."""
    path = model / "tokenizer.json"
    if not path.exists():
        raise InvalidInput(_("The model has no tokenizer.json, so it cannot be served by the embedded engine."))
    tokenizer = json.loads(path.read_text())
    body = tokenizer["model"]
    if body.get("type") != "BPE":
        reason = f"tokenizer {body.get('type')}"
        raise InvalidInput(_("This model cannot be written as GGUF: %(reason)s."), reason=reason)
    tokens, types = _vocabulary(body["vocab"], tokenizer.get("added_tokens", []), rows)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in body["merges"]]
    # The writer leaves an empty list out, and readers want one; this pair does nothing, since its union is no token.
    writer.add_token_merges(merges or [" ".join(tokens[:2])])
    place = {token: index for index, token in enumerate(tokens)}
    settings = _read(model / "tokenizer_config.json")
    for name, add in (
        ("bos_token", writer.add_bos_token_id),
        ("eos_token", writer.add_eos_token_id),
        ("pad_token", writer.add_pad_token_id),
        ("unk_token", writer.add_unk_token_id),
    ):
        token = settings.get(name)
        token = token.get("content") if isinstance(token, dict) else token
        if token in place:
            add(place[token])
    template = chat_template(model)
    if template:
        writer.add_chat_template(template)


def _vocabulary(vocab: dict[str, int], added: list[dict[str, Any]], rows: int) -> tuple[list[str], list[int]]:
    tokens = [f"[UNUSED{index}]" for index in range(rows)]
    types = [UNUSED] * rows
    extra = [(token["content"], token["id"], CONTROL if token.get("special") else USER_DEFINED) for token in added]
    for text, index, kind in [*((text, index, NORMAL) for text, index in vocab.items()), *extra]:
        if index >= rows:
            raise InvalidInput(
                _("The tokenizer has a token number %(token)d, but the model has only %(rows)d embeddings."),
                token=index,
                rows=rows,
            )
        tokens[index], types[index] = text, kind
    return tokens, types


def chat_template(model: Path) -> str:
    """The chat template that lies beside the weights; empty when there is none."""
    path = model / "chat_template.jinja"
    if path.exists():
        return path.read_text()
    template = _read(model / "tokenizer_config.json").get("chat_template") or ""
    if isinstance(template, list):  # several named templates
        template = next((entry["template"] for entry in template if entry.get("name") == "default"), "")
    return str(template)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


# --- its weights


def _files(model: Path) -> list[Path]:
    files = sorted(model.glob("*.safetensors"))
    if not files:
        raise InvalidInput(_("The model folder holds no weights (no .safetensors file)."))
    return files


def _stored(model: Path) -> Iterator[tuple[str, tuple[int, ...], Callable[[], "np.ndarray[Any, Any]"]]]:
    """Name, shape and a reader (float32) of every tensor. Read without torch, which would cost 300 MB in a process that
    serves. Layout: a little-endian length, a JSON header of that length, then the bytes."""
    import numpy as np

    for file in _files(model):
        start, header = _header(file)
        data = np.memmap(file, mode="r", offset=start)
        for name, entry in header.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                shape = tuple(entry["shape"])
                yield name, shape, partial(_float32, data[start:end], entry["dtype"], shape, name)


def _header(file: Path) -> tuple[int, dict[str, Any]]:
    """Where the tensors begin, and what is said about them. Raises InvalidInput for a file that is not whole."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        try:
            header: dict[str, Any] = json.loads(opened.read(length)) if 8 + length <= size else {}
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError):
            ends = []
    if not ends or 8 + length + max(ends) != size:
        raise InvalidInput(_("The weights file %(file)s is broken or incomplete."), file=file.name)
    return 8 + length, header


def _float32(data: "np.ndarray[Any, Any]", dtype: str, shape: tuple[int, ...], name: str) -> "np.ndarray[Any, Any]":
    import numpy as np

    if dtype == "BF16":  # the upper half of a float32
        return (data.view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in NUMPY_TYPES:
        raise InvalidInput(
            _("The weights of %(tensor)s have the type %(dtype)s, which cannot be written as GGUF."),
            tensor=name,
            dtype=dtype,
        )
    return data.view(NUMPY_TYPES[dtype]).astype(np.float32).reshape(shape)


def _names(config: dict[str, Any]) -> dict[str, str]:
    """Stem of a tensor's name in safetensors → in the file."""
    names = dict(TOP_PARTS)
    if config.get("tie_word_embeddings"):
        del names["lm_head"]
    for layer in range(config["num_hidden_layers"]):
        for part, short in LAYER_PARTS.items():
            names[f"model.layers.{layer}.{part}"] = f"blk.{layer}.{short}"
    return names


def _shapes(model: Path, config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    names = _names(config)
    seen = set()
    for key, shape, _read_values in _stored(model):
        stem, _dot, end = key.rpartition(".")
        if stem in names:
            seen.add(stem)
            yield f"{names[stem]}.{end}", shape
    missing = [stem for stem in names if stem not in seen and not stem.endswith(("q_norm", "k_norm"))]
    if missing:
        raise InvalidInput(_("The model lacks the weights of %(tensor)s."), tensor=missing[0])


def _tensors(model: Path, config: dict[str, Any]) -> Iterator["np.ndarray[Any, Any]"]:
    """Tensors in the order of `_shapes`, as the file wants them: matrices F16, vectors F32."""
    names = _names(config)
    heads = {
        "self_attn.q_proj": config["num_attention_heads"],
        "self_attn.k_proj": config.get("num_key_value_heads") or config["num_attention_heads"],
    }
    for key, _shape, read_values in _stored(model):
        stem = key.rpartition(".")[0]
        if stem in names:
            values = read_values()
            part = stem.split(".", 3)[-1]
            if ARCHITECTURES[config["model_type"]] == "llama" and part in heads:
                values = interleave(values, heads[part])
            yield _converted(values, key)


def interleave(values: "np.ndarray[Any, Any]", heads: int) -> "np.ndarray[Any, Any]":
    """Reorder the rows of a query or key projection from split halves to neighbouring pairs, which is how a `llama`
    file stores rotary positions. values: (heads * head size, …)."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def _converted(values: "np.ndarray[Any, Any]", name: str) -> "np.ndarray[Any, Any]":
    import numpy as np

    if values.ndim > 1 and np.abs(values).max(initial=0.0) > float(np.finfo(np.float16).max):
        raise InvalidInput(_("The weights of %(tensor)s are too large for half precision."), tensor=name)
    return np.ascontiguousarray(values.astype(_dtype(values.shape)))


def _dtype(shape: tuple[int, ...]) -> "np.dtype[Any]":
    import numpy as np

    return np.dtype(np.float16 if len(shape) > 1 else np.float32)


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
