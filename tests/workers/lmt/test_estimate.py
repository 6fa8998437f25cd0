"""The formula behind the estimate of a tuning run."""

import pytest

from workers.estimates import tokens_of_row
from workers.lmt.estimate import estimate
from workers.lmt.methods import methods
from workers.lmt.sft import Params

SMOL = {
    "parameters": 134_515_008,
    "shape": {"hidden_size": 576, "layers": 30, "intermediate_size": 1536, "heads": 9, "vocab_size": 49152},
}
ROWS = {"rows": 500, "report": {"statistics": {"characters_mean": 800, "chinese_rows": 0, "messages_mean": 2}}}


def params(**given) -> Params:
    return Params.model_validate({"model": "m", "dataset": "d", "name": "n", **given})


def of(**given):
    return estimate(params(**given), model=SMOL, dataset=ROWS, cpus=2)


def test_more_work_takes_longer_and_more_memory():
    plain = of()
    assert of(effort="thorough").seconds > plain.seconds > of(effort="quick").seconds
    assert of(batch_size=8).memory_mib > plain.memory_mib > of(activation_checkpointing=True).memory_mib
    assert of(method="full").memory_mib > plain.memory_mib
    assert of(method="full").trained_parameters == SMOL["parameters"]
    assert plain.trained_parameters < SMOL["parameters"] / 20


def test_a_large_vocabulary_takes_memory():
    """SmolLM2's 49,152 words, 4 rows of a few hundred tokens: their logits are not to be forgotten."""
    small = {**SMOL, "shape": {**SMOL["shape"], "vocab_size": 512}}
    with_few = estimate(params(), model=small, dataset=ROWS, cpus=2).memory_mib
    assert estimate(params(), model=SMOL, dataset=ROWS, cpus=2).memory_mib > with_few + 500


@pytest.mark.parametrize("method", methods.names())
def test_an_empty_learning_rate_is_the_methods(method):
    assert of(method=method).learning_rate == methods.get(method).learning_rate
    assert of(method=method, learning_rate=0.5).learning_rate == 0.5


def test_lora_counts_what_peft_would_train():
    """Rank 16 on all linear layers of SmolLM2: 4,884,480 numbers; grouped attention makes ours an upper bound."""
    assert 4_884_480 <= of().trained_parameters <= 1.3 * 4_884_480


def test_chinese_rows_have_more_tokens():
    chinese = {"rows": 10, "report": {"statistics": {"characters_mean": 100, "chinese_rows": 10, "messages_mean": 2}}}
    western = {"rows": 10, "report": {"statistics": {"characters_mean": 100, "chinese_rows": 0, "messages_mean": 2}}}
    assert tokens_of_row(chinese) > 3 * tokens_of_row(western)


def test_nothing_known_still_gives_an_answer():
    found = estimate(params(), model={}, dataset={}, cpus=1)
    assert found.steps == 30
    assert found.memory_mib > 0


def test_samples_along_the_way_take_their_time():
    often = {"max_steps": 100, "epochs": 100, "eval_steps": 10}
    extra = of(**often, samples=8).seconds - of(**often, samples=0).seconds
    assert extra == pytest.approx(12 * 8 * 48 * SMOL["parameters"] * 4 / 6.5e9, abs=1)
    assert of(samples=0).seconds <= of().seconds


def test_every_figure_has_words_and_a_look():
    assert of().figures[0].label == "Steps"
    assert {figure.look for figure in of().figures} <= {"count", "compact", "number", "size"}
