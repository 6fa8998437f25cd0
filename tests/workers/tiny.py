"""A language model small enough for unit tests: a random 2-layer Llama over bytes, with a chat template."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def make_tokenizer(folder: Path, template: str | None = CHATML) -> None:
    """Bytes as tokens (256 of them) and three special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=512
    )
    fast.chat_template = template
    fast.save_pretrained(folder)


def make_model(folder: Path, *, template: str | None = CHATML, seed: int = 0, **config: Any) -> Path:
    """Save a random 2-layer Llama of 0.1 M parameters with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    sizes = {
        "vocab_size": 259,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    LlamaForCausalLM(LlamaConfig(**{**sizes, **config})).save_pretrained(folder)
    make_tokenizer(folder, template)
    return folder


def chat(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def write_dataset(folder: Path, rows: list[Any], column: str = "messages") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: rows}), folder / "data.parquet")
    return folder


def write_spec(directory: Path, kind: str, params: dict[str, Any], inputs: dict[str, Any], **fields: Any) -> Path:
    """A run directory for `python -m workers`. inputs: name → (type, folder with its files, meta)."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "inputs").mkdir(exist_ok=True)
    named = {}
    for name, (type, folder, meta) in inputs.items():
        link = directory / "inputs" / name
        if not link.exists():
            link.symlink_to(Path(folder).resolve())
        named[name] = {"type": type, "id": name, "path": f"inputs/{name}", "meta": meta}
    spec = {"job": "job-1", "kind": kind, "params": params, "inputs": named, "cpus": 1, **fields}
    (directory / "spec.json").write_text(json.dumps(spec))
    return directory / "spec.json"


def start(spec: Path, **environment: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    with (spec.parent / "output.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "workers", str(spec), "--in-place"],
            stdout=log,
            stderr=log,
            env=environment,
            text=True,
        )


@dataclass(frozen=True)
class Taken:
    """What a run took: seconds of the processor and on the clock, and its highest memory."""

    processor_s: float
    clock_s: float
    memory_mib: float


def watched(spec: Path) -> Taken:
    """Run a job to its end in a process of its own. Raises RuntimeError with its output when it fails."""
    before, began, memory_mib = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0.0
    process = start(spec)
    while process.poll() is None:  # the kernel's own figure begins with the memory of the process that forked it
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        memory_mib = max(memory_mib, int(peak[1]) / 1024 if peak else 0)
        time.sleep(0.02)
    if process.returncode:
        raise RuntimeError((spec.parent / "output.log").read_text()[-2000:])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return Taken(spent, time.monotonic() - began, memory_mib)


def read_events(directory: Path, type: str | None = None) -> list[dict[str, Any]]:
    path = directory / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    events = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [event for event in events if type in (None, event["type"])]


def run(spec: Path) -> dict[str, Any]:
    """Run a job in this process and return its result. An expected error is raised as the kind raised it."""
    from workers.io import RunIO
    from workers.kinds import kinds
    from workers.spec import Spec

    io = RunIO(spec.parent, Spec.read(spec))
    kind = kinds.get(io.spec.kind)
    return kind.run(kind.params.model_validate(io.spec.params), io)
