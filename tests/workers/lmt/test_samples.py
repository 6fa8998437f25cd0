"""Samples along the way: what is asked and when, that the training does not notice, and that no run ends by them."""

from pathlib import Path

import pytest

from tests.workers import tiny
from tests.workers.lmt.test_sft import ROWS, samples, series, spec_of
from workers.lmt.loop import samples as sampling
from workers.lmt.methods import methods

TAUGHT = {
    "max_steps": 40,
    "epochs": 100,
    "learning_rate": 1e-2,
    "eval_steps": 20,
    "method": "full",
    "sample_tokens": 16,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    return tiny.write_dataset(tmp_path_factory.mktemp("rows"), ROWS)


def test_the_answers_show_what_is_learned(tmp_path, tiny_model):
    rows = tiny.write_dataset(tmp_path / "rows", [tiny.chat("Who?", "A crane."), tiny.chat("Who is it?", "A crane.")])
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, TAUGHT))
    found = samples(tmp_path / "run")
    assert list(found) == [0, 20, 40]
    assert {answer["expected"] for answer in found[0]} == {"A crane."}
    assert {answer["question"] for answer in found[40]} == {"Who?", "Who is it?"}
    assert "A crane." not in [answer["answer"] for answer in found[0]]
    assert [answer["answer"] for answer in found[40]] == ["A crane.", "A crane."]


@pytest.mark.parametrize("eval_fraction", [0, 0.1])
def test_rows_that_are_not_learned_are_asked_first(tmp_path, tiny_model, rows, eval_fraction):
    params = {"eval_fraction": eval_fraction, "samples": 3, "sample_tokens": 2}
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, params))
    asked = [answer["question"] for answer in samples(tmp_path / "run")[0]]
    first = [row[0]["content"] for row in ROWS[:3]]
    assert len(set(asked)) == 3
    assert (asked == first) == (not eval_fraction)
    assert asked[2] == first[2 if not eval_fraction else 0]  # two rows are held out


def test_held_out_data_of_its_own_is_asked(tmp_path, tiny_model, rows):
    other = tiny.write_dataset(tmp_path / "other", [tiny.chat("New?", "Yes."), tiny.chat("Again?", "No.")] * 2)
    more = {"eval_dataset": ("dataset_version", other, {})}
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"eval_dataset": "e", "sample_tokens": 2}, more))
    assert [answer["question"] for answer in samples(tmp_path / "run")[0]] == ["New?", "Again?"]


@pytest.mark.parametrize("method", methods.names())
def test_weights_are_equal_to_the_last_bit_with_and_without(tmp_path, tiny_model, rows, method):
    """With dropout, so that one random number drawn by a sample would show."""
    params = {"lora_dropout": 0.3, "neftune_noise": 5, "max_steps": 6, "eval_steps": 2, "method": method}
    for name, count in (("without", 0), ("with", 2)):
        tiny.run(spec_of(tmp_path / name, tiny_model, rows, {**params, "samples": count, "sample_tokens": 8}))
    assert not samples(tmp_path / "without")
    assert list(samples(tmp_path / "with")) == [0, 2, 4, 6]
    for name in ("loss", "eval_loss"):
        assert series(tmp_path / "with", name) == series(tmp_path / "without", name)
    made = [tmp_path / name / "outputs" for name in ("with", "without")]
    files = [{str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.*")} for out in made]
    assert files[0] == files[1]


def test_modes_and_chance_are_as_they_were(tiny_model):
    import random

    import numpy as np
    import torch

    from workers.lms.loading import load_model

    model = load_model(tiny_model).train()
    frozen = model.model.layers[0].mlp.eval()
    chances = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    with sampling.untouched(model):
        assert not any(module.training for module in model.modules())
        random.random(), np.random.rand(), torch.rand(1)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == chances
    assert model.training
    assert not frozen.training


def test_a_model_that_cannot_answer_is_trained_all_the_same(tmp_path, tiny_model, rows, monkeypatch):
    def refuse(*_arguments):
        raise KeyError("no such cache")

    monkeypatch.setattr(sampling, "greedy_answer", refuse)
    result = tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"eval_steps": 1}))
    assert result["steps"] == 3
    assert not samples(tmp_path / "run")
    (warning,) = [
        event for event in tiny.read_events(tmp_path / "run", "log") if "sample questions" in event["message"]
    ]
    assert warning["level"] == "warning"
    assert warning["data"]["error"] == "KeyError: 'no such cache'"


def test_a_prompt_that_fills_the_longest_row_gets_no_answer(tmp_path, tiny_model):
    rows = tiny.write_dataset(tmp_path / "rows", [tiny.chat("why " * 20, "so " * 40)] * 4)
    params = {"max_length": 125, "too_long": "truncate", "eval_fraction": 0}
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, params))
    ((answer,),) = [step for number, step in samples(tmp_path / "run").items() if number == 0]
    assert len(answer["answer"].encode()) <= 20


def test_texts_are_cut(tmp_path, rows):
    model = tiny.make_model(tmp_path / "model", max_position_embeddings=16384)
    rows = tiny.write_dataset(tmp_path / "rows", [tiny.chat("why", "so " * 3000)] * 2)
    params = {"max_length": 16000, "samples": 1, "sample_tokens": 1, "max_steps": 1, "eval_fraction": 0}
    tiny.run(spec_of(tmp_path / "run", model, rows, params))
    assert len(samples(tmp_path / "run")[0][0]["expected"]) == sampling.CHARACTERS


def test_a_stop_in_the_middle_of_an_answer_is_heard(tmp_path, tiny_model, rows, monkeypatch):
    """The answer ends there and is not told: the node waits only so long for a checkpoint."""
    from workers.io import RunIO

    written = []

    def stopped(io: RunIO) -> bool:
        return bool(written)

    real = sampling.greedy_answer

    def answer(model, tokenizer, prompt, tokens, should_stop):
        text = real(model, tokenizer, prompt, tokens, lambda: written.append(1) or should_stop())
        assert len(written) == 1
        return text

    monkeypatch.setattr(RunIO, "should_stop", property(stopped))
    monkeypatch.setattr(sampling, "greedy_answer", answer)
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows))
    assert not samples(tmp_path / "run")
