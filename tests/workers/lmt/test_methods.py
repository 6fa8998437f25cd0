"""What every tuning kind and method must hold, looped over the registries: a new file is tested by being there."""

from pathlib import Path

import pytest

from tests.workers import tiny
from tests.workers.lmt.test_sft import ROWS, series, spec_of
from workers.kinds import kinds
from workers.lmt.base import EFFORTS, TuningParams
from workers.lmt.methods import methods

TUNING = [name for name in kinds.names() if name.startswith("lmt.")]
NEEDED = {"model": "m", "dataset": "d", "name": "n"}


@pytest.mark.parametrize("name", TUNING)
def test_every_kind_explains_itself(name):
    kind = kinds.get(name)
    assert kind.label
    assert kind.doc
    assert issubclass(kind.params, TuningParams)
    shown = [field for field, info in kind.params.model_fields.items() if info.json_schema_extra["simple"]]
    assert len(shown) <= 5
    for field, info in kind.params.model_fields.items():
        assert info.title, field
        assert info.description, field
        assert (
            info.json_schema_extra["simple"] or info.json_schema_extra["group"] or "artefact" in info.json_schema_extra
        )


def assert_merged_as_trained(base, adapter: Path, merged) -> None:
    """The whole model answers as the base with the adapter beside it, and not as the base alone."""
    import torch
    from peft import PeftModel

    tokens = torch.arange(3, 60)[None]
    with torch.no_grad():
        plain, whole = base.eval()(tokens).logits, merged.eval()(tokens).logits
        beside = PeftModel.from_pretrained(base, adapter).eval()(tokens).logits
    assert not torch.allclose(whole, plain, atol=1e-3)
    assert torch.allclose(whole, beside, atol=1e-4)


@pytest.mark.parametrize("name", methods.names())
def test_every_method_trains_saves_and_reloads(tmp_path, tiny_model, name):
    from workers.lms.loading import load_model

    rows = tiny.write_dataset(tmp_path / "rows", ROWS)
    result = tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"method": name, "max_steps": 5}))
    assert result["steps"] == 5
    numbers = sum(value.numel() for value in load_model(tiny_model).parameters())
    model = load_model(tmp_path / "run" / "outputs" / "model")
    assert sum(value.numel() for value in model.parameters()) == numbers
    metas = {event["name"]: event["meta"] for event in tiny.read_events(tmp_path / "run", "artefact")}
    trained = metas["adapter"]["parameters"] if "adapter" in metas else numbers
    says = methods.get(name).trained(metas["model"]["shape"], numbers, 16)
    assert trained <= says <= 1.5 * trained  # right, or a little high
    if "adapter" in metas:
        assert_merged_as_trained(load_model(tiny_model), tmp_path / "run" / "outputs" / "adapter", model)


@pytest.mark.parametrize("name", methods.names())
def test_every_method_explains_itself(name):
    method = methods.get(name)
    assert method.label
    assert 0 < method.learning_rate < 1
    assert TuningParams.model_validate({**NEEDED, "method": name}).rate() == method.learning_rate


def test_effort_grows():
    params = [TuningParams.model_validate({**NEEDED, "effort": effort}) for effort in EFFORTS]
    for rows in (1, 10, 1000):
        steps = [each.steps(rows) for each in params]
        assert steps == sorted(steps)
        assert len(set(steps)) == len(steps)


@pytest.mark.parametrize(
    ("given", "rows", "steps"),
    [
        ({"epochs": 2}, 10, 6),
        ({"epochs": 0.1}, 10, 1),
        ({"max_steps": 4}, 1000, 4),
        ({"gradient_accumulation": 5}, 200, 30),
    ],
)
def test_steps_follow_the_parameters(given, rows, steps):
    assert TuningParams.model_validate({**NEEDED, **given}).steps(rows) == steps


def test_packed_rows_do_not_see_each_other(tmp_path, tiny_model):
    """One step over the same four rows gives the same loss whether they are packed into one sequence or not."""
    rows = tiny.write_dataset(tmp_path / "rows", ROWS[:4])
    for name, packing in (("apart", False), ("packed", True)):
        params = {"packing": packing, "eval_fraction": 0, "max_steps": 1}
        tiny.run(spec_of(tmp_path / name, tiny_model, rows, params))
    assert series(tmp_path / "packed", "loss")[1] == pytest.approx(series(tmp_path / "apart", "loss")[1], abs=1e-4)


@pytest.mark.parametrize(
    "params",
    [
        {"activation_checkpointing": True},
        {"gradient_accumulation": 2, "batch_size": 2},
        {"group_by_length": True},
        {"optimizer": "adafactor", "scheduler": "cosine", "warmup": 0.5},
        {"neftune_noise": 5, "label_smoothing": 0.1},
        {"lora_targets": "q_proj, v_proj", "lora_rank": 4},
        {"save_dtype": "bfloat16"},
        {"max_grad_norm": 0, "weight_decay": 0.1, "logging_steps": 2},
    ],
)
def test_every_argument_is_taken(tmp_path, tiny_model, params):
    rows = tiny.write_dataset(tmp_path / "rows", ROWS)
    result = tiny.run(spec_of(tmp_path / "run", tiny_model, rows, params))
    assert result["steps"] == 3
    meta = tiny.read_events(tmp_path / "run", "artefact")[-1]["meta"]
    assert meta["dtype"] == params.get("save_dtype", "float32")


def test_layer_that_is_not_there_is_named(tmp_path, tiny_model):
    from workers.errors import InvalidInput

    rows = tiny.write_dataset(Path(tmp_path / "rows"), ROWS)
    with pytest.raises(InvalidInput, match="no_such_proj"):
        tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"lora_targets": "no_such_proj"}))
