"""Every engine answers greedily what transformers answers, token by token, for every architecture that it serves."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.workers import tiny
from workers.errors import InvalidInput, NotFound
from workers.lms import gguf_export
from workers.lms.engines.base import REMEMBERED, Chunk, Engine, Sampling, Settings, fitting, runtimes

VOCABULARY = 259
SHAPE = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.2,
    "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"tie_word_embeddings": True}),
    "llama, own head": ("Llama", {"tie_word_embeddings": False, "rope_theta": 50_000.0}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
}
PROMPTS = [[1, 84, 100, 42], list(range(3, 80)), [7] * 33, [200, 31, 5], list(range(250, 100, -3))]


def make(folder: Path, family: str, **more: Any) -> Path:
    """A random model of a family. Wide random weights, so that its answers vary."""
    import torch
    import transformers

    name, config = FAMILIES[family]
    torch.manual_seed(1)
    built = getattr(transformers, f"{name}ForCausalLM")(
        getattr(transformers, f"{name}Config")(**SHAPE, **config, **more)
    )
    for parameter in built.parameters():  # biases begin at zero, and would prove nothing
        if parameter.ndim == 1 and not parameter.abs().sum():
            torch.nn.init.normal_(parameter, std=0.2)
    built.to(torch.float16).to(torch.float32).save_pretrained(folder)
    tiny.make_tokenizer(folder)
    return folder


def expected(folder: Path, prompt: list[int], count: int) -> list[int]:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([prompt])
    options = {"max_new_tokens": count, "do_sample": False, "eos_token_id": 2, "pad_token_id": 0}
    return model.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, len(prompt) :].tolist()


def settings(folder: Path, scratch: Path, **more: Any) -> Settings:
    return Settings(folder, scratch, 512, **{"cache_gib": 0.02, "threads": 1, **more})


def ask(engine: Engine, prompt: list[int], **sampling: Any) -> list[Chunk]:
    """All chunks of one answer."""
    chunks: list[Chunk] = []
    done = threading.Event()

    def deliver(chunk: Chunk) -> None:
        chunks.append(chunk)
        if chunk.finish:
            done.set()

    engine.submit(prompt, Sampling(**{"max_tokens": 24, "temperature": 0.0, **sampling}), deliver)
    assert done.wait(60)
    return chunks


def tokens(chunks: list[Chunk]) -> list[int]:
    return [token for chunk in chunks for token in chunk.tokens]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("runtime", runtimes.names())
def test_greedy_tokens_are_those_of_transformers(runtime: str, family: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "model", family)
    config = json.loads((folder / "config.json").read_text())
    engine = fitting(runtime, folder, config)[0].start(settings(folder, tmp_path))
    try:
        wanted = [expected(folder, prompt, 24) for prompt in PROMPTS]
        assert len({token for answer in wanted for token in answer}) > 12, "answers of one token prove nothing"
        end = frozenset({2})
        assert [tokens(ask(engine, prompt, stop_token_ids=end)) for prompt in PROMPTS] == wanted
    finally:
        engine.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("engines") / "model", "llama")


@pytest.fixture(scope="module", params=runtimes.names())
def engine(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = runtimes.get(request.param).start(settings(folder, tmp_path_factory.mktemp("scratch")))
    yield running
    running.close()


@pytest.mark.parametrize("runtime", runtimes.names())
def test_a_request_counts_from_its_first_moment(runtime: str, folder: Path, tmp_path: Path) -> None:
    """Until its first token it waits or runs, at every line that the engine's own thread executes."""
    counts: list[int] = []
    asked, answered = threading.Event(), threading.Event()

    def watch(frame: Any, _event: str, _argument: Any) -> Any:
        if asked.is_set() and not answered.is_set():
            load = engine.load()
            counts.append(load.running + load.waiting)
        return watch if "engines" in frame.f_code.co_filename else None

    threading.settrace(watch)
    engine = runtimes.get(runtime).start(settings(folder, tmp_path))
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        engine.submit([3, 4, 5], Sampling(max_tokens=24, temperature=0.0), lambda _chunk: answered.set())
        asked.set()
        assert answered.wait(60)
    finally:
        engine.close()
    assert len(counts) > 5 and min(counts) >= 1


def test_second_turn_comes_from_the_cache(engine: Engine) -> None:
    prompt = [(number * 7) % 250 + 3 for number in range(100)]
    first = ask(engine, prompt)
    second = ask(engine, [*prompt, *tokens(first)[:-1], 5, 6, 7])
    assert first[0].cached_tokens == 0
    assert second[0].cached_tokens is not None
    assert second[0].cached_tokens >= 96
    assert tokens(ask(engine, prompt)) == tokens(first)


def test_many_at_once_are_answered_as_one_by_one(engine: Engine) -> None:
    prompts = [[number + 3, 90, 91, number + 40] for number in range(12)]
    alone = [tokens(ask(engine, prompt)) for prompt in prompts]
    together: dict[int, list[int]] = {number: [] for number in range(len(prompts))}
    left = threading.Semaphore(0)

    def deliver(number: int, chunk: Chunk) -> None:
        together[number] += chunk.tokens
        if chunk.finish:
            left.release()

    for number, prompt in enumerate(prompts):
        engine.submit(prompt, Sampling(24, 0.0), lambda chunk, number=number: deliver(number, chunk))
    for _prompt in prompts:
        assert left.acquire(timeout=60)
    assert list(together.values()) == alone


def test_stops_at_the_end_token_and_at_the_limit(engine: Engine) -> None:
    prompt = [1, 84, 100, 42, 2]
    answer = tokens(ask(engine, prompt))
    end = next(token for token in answer if token != answer[0])
    stopped = ask(engine, prompt, stop_token_ids=frozenset({end}))
    assert stopped[-1].finish == "stop"
    assert tokens(stopped) == answer[: answer.index(end) + 1]
    short = ask(engine, prompt, max_tokens=3)
    assert short[-1].finish == "length"
    assert len(tokens(short)) == 3


def test_cancelled_request_leaves_nothing_behind(engine: Engine) -> None:
    seen: list[Chunk] = []
    started = threading.Event()

    def deliver(chunk: Chunk) -> None:
        seen.append(chunk)
        started.set()

    cancel = engine.submit([5, 6, 7], Sampling(480, 0.0), deliver)
    assert started.wait(30)
    cancel()
    cancel()
    assert tokens(ask(engine, [5, 6, 7], max_tokens=2))
    assert (engine.load().running, engine.load().waiting) == (0, 0)
    assert seen[-1].finish != "error"  # it may have ended by itself before it was cancelled


def test_seed_repeats_an_answer(folder: Path, tmp_path: Path) -> None:
    engine = runtimes.get("embedded").start(settings(folder, tmp_path))
    try:
        sampled = [tokens(ask(engine, [9, 8, 7], temperature=1.0, seed=seed)) for seed in (1, 1, 2)]
    finally:
        engine.close()
    assert sampled[0] == sampled[1] != sampled[2]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "gpt2"}, "gpt2"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "rotary"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}, "rotary"),
        ({"model_type": "mistral", "sliding_window": 128}, "sliding"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"head_dim": 128}, "head size"),
        ({"attention_bias": True}, "biases"),
    ],
)
def test_what_a_gguf_would_change_is_refused(config: dict[str, Any], reason: str) -> None:
    assert reason in gguf_export.why_not({"model_type": "llama", **SHAPE, **config})


def test_unknown_runtime_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(NotFound, match="embedded, transformers"):
        fitting("vllm-of-my-dreams", folder, {})


def test_auto_prefers_the_embedded_engine_and_falls_back(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert [runtime.name for runtime in fitting("auto", folder, config)] == ["embedded", "transformers"]
    assert [runtime.name for runtime in fitting("auto", folder, {"model_type": "gpt2"})] == ["transformers"]
    with pytest.raises(InvalidInput, match="code of its own"):
        fitting("auto", folder, {"model_type": "gpt2", "auto_map": {}, "x": 1} | {"auto_map": {"A": "b.C"}})


@pytest.mark.parametrize("runtime", ["embedded", "transformers"])
def test_the_cache_is_no_larger_than_conversations_can_fill(runtime: str, folder: Path, tmp_path: Path) -> None:
    """A GiB of memory would be 65,536 blocks of this model; two conversations and what is remembered fill 256."""
    engine = runtimes.get(runtime).start(settings(folder, tmp_path, cache_gib=1.0, max_running=2))
    try:
        assert engine.capacity == 512 * 2 * REMEMBERED
        assert len(tokens(ask(engine, [5, 6, 7]))) > 0
    finally:
        engine.close()


def test_half_written_models_are_refused(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    broken.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (broken / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(InvalidInput, match="no weights"):
        gguf_export.export(broken, tmp_path / "x.gguf")
    (broken / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(InvalidInput, match="broken"):
        gguf_export.export(broken, tmp_path / "x.gguf")
