"""Kind lmt.sft on a random 2-layer model: the numbers of TRL, whole results, clear refusals."""

import json
import math
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.workers import tiny
from workers.errors import InvalidInput
from workers.lmt.methods import methods
from workers.lmt.sft import Params

GOLDEN = tiny.ROOT / "tests" / "golden" / "sft_loss_3_steps.json"
ROWS = [tiny.chat(f"What is three times {number}?", f"It is {number * 3}.") for number in range(24)]


@pytest.fixture(scope="session")
def rows(tmp_path_factory) -> Path:
    return tiny.write_dataset(tmp_path_factory.mktemp("rows"), ROWS)


def spec_of(directory: Path, model: Path, rows: Path, params: dict | None = None, more: dict | None = None, **fields):
    inputs = {"model": ("model_version", model, {}), "dataset": ("dataset_version", rows, {"format": "messages"})}
    base = {"model": "m", "dataset": "d", "name": "tuned", "max_steps": 3}
    return tiny.write_spec(directory, "lmt.sft", {**base, **(params or {})}, {**inputs, **(more or {})}, **fields)


def series(directory: Path, name: str) -> dict[int, float]:
    return {
        event["step"]: event["values"][name]
        for event in tiny.read_events(directory, "metric")
        if name in event["values"]
    }


def samples(directory: Path) -> dict[int, list[dict[str, str]]]:
    """Answers by step; what a later attempt did again replaces the earlier."""
    return {event["step"]: event["answers"] for event in tiny.read_events(directory, "sample")}


@pytest.mark.parametrize("method", methods.names())
def test_loss_of_three_steps(tmp_path, tiny_model, rows, method):
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"method": method}))
    losses = [round(loss, 4) for loss in series(tmp_path / "run", "loss").values()]
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps({**golden, method: losses}, indent=1) + "\n")
    else:
        assert losses == pytest.approx(golden[method], abs=2e-3)


@pytest.mark.parametrize("method", methods.names())
def test_result_is_a_whole_model_that_learned(tmp_path, tiny_model, rows, method):
    from workers.lms.loading import load_model

    result = tiny.run(
        spec_of(tmp_path / "run", tiny_model, rows, {"method": method, "max_steps": 20, "learning_rate": 5e-3})
    )
    assert result["steps"] == 20
    assert result["loss_after"] < result["loss_before"]
    assert result["rows"]["train_rows"] == 22
    assert result["rows"]["held_out_rows"] == 2
    artefacts = {event["name"]: event for event in tiny.read_events(tmp_path / "run", "artefact")}
    assert artefacts["model"]["meta"]["format"] == "safetensors"
    assert artefacts["model"]["meta"]["loss_after"] == result["loss_after"]
    assert ("adapter" in artefacts) == (method != "full")
    assert set(load_model(tmp_path / "run" / "outputs" / "model").state_dict()) == set(
        load_model(tiny_model).state_dict()
    )
    assert json.loads((tmp_path / "run" / "outputs" / "model" / "config.json").read_text())["use_cache"] is True


def test_saved_model_is_base_plus_adapter(tmp_path, tiny_model, rows):
    import torch
    from peft import PeftModel

    from workers.lms.loading import load_model

    tiny.run(spec_of(tmp_path / "run", tiny_model, rows))
    with_adapter = PeftModel.from_pretrained(load_model(tiny_model), tmp_path / "run" / "outputs" / "adapter")
    merged = load_model(tmp_path / "run" / "outputs" / "model")
    ids = torch.arange(3, 60).unsqueeze(0)
    torch.testing.assert_close(merged(ids).logits, with_adapter(ids).logits, atol=1e-5, rtol=1e-4)


def test_losses_equal_a_trl_script_written_by_hand(tmp_path, tiny_model, rows):
    """The oracle: TRL given the same rows as prompt and completion, and told nothing else."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from workers.lms.loading import load_model, load_tokenizer

    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"eval_fraction": 0, "warmup": 0}))
    trainer = SFTTrainer(
        model=load_model(tiny_model),
        args=SFTConfig(
            output_dir=str(tmp_path / "trl"),
            max_steps=3,
            per_device_train_batch_size=4,
            learning_rate=1e-3,
            logging_steps=1,
            bf16=False,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            seed=42,
            data_seed=42,
            activation_checkpointing=False,
        ),
        train_dataset=Dataset.from_list([{"prompt": row[:1], "completion": row[1:]} for row in ROWS]),
        processing_class=load_tokenizer(tiny_model),
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"),
    )
    trainer.train()
    theirs = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert list(series(tmp_path / "run", "loss").values()) == theirs


def test_charts_and_progress(tmp_path, tiny_model, rows):
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"eval_steps": 2, "max_steps": 4}))
    for name in ("loss", "learning_rate", "grad_norm", "tokens_per_s"):
        assert set(series(tmp_path / "run", name)) == {1, 2, 3, 4}
    assert set(series(tmp_path / "run", "eval_loss")) == {0, 2, 4}
    last = [event for event in tiny.read_events(tmp_path / "run", "progress") if event["unit"]][-1]
    assert (last["done"], last["total"]) == (4, 4)


def test_measuring_along_the_way_changes_nothing(tmp_path, tiny_model, rows):
    for name, extra in (("plain", {}), ("measured", {"eval_steps": 1})):
        tiny.run(spec_of(tmp_path / name, tiny_model, rows, {"lora_dropout": 0.3, **extra}))
    assert series(tmp_path / "plain", "loss") == series(tmp_path / "measured", "loss")


def test_model_without_template_gets_a_plain_one(tmp_path, rows):
    model = tiny.make_model(tmp_path / "model", template=None)
    tiny.run(spec_of(tmp_path / "run", model, rows))
    assert (tmp_path / "run" / "outputs" / "model" / "chat_template.jinja").exists()


def test_held_out_data_of_its_own_is_never_learned(tmp_path, tiny_model, rows):
    other = tiny.write_dataset(tmp_path / "other", [ROWS[0], ROWS[1], tiny.chat("New?", "Yes.")])
    more = {"eval_dataset": ("dataset_version", other, {})}
    result = tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"eval_dataset": "e"}, more))
    assert result["rows"]["held_out_rows"] == 3
    assert result["rows"]["also_held_out"] == 2
    assert result["rows"]["train_rows"] == 22


def test_long_rows_are_counted_and_named(tmp_path, tiny_model):
    rows = tiny.write_dataset(tmp_path / "rows", [*ROWS[:8], tiny.chat("Long?", "very " * 100), tiny.chat("No", "")])
    result = tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"max_length": 100, "eval_fraction": 0}))
    assert result["rows"]["too_long"] == 1
    assert result["rows"]["examples"][0]["row"] == 9
    logs = {event["message"]: event["data"] for event in tiny.read_events(tmp_path / "run", "log")}
    assert any(data.get("dropped") == 1 and data["limit"] == 100 for data in logs.values())
    cut = tiny.run(spec_of(tmp_path / "cut", tiny_model, rows, {"max_length": 100, "too_long": "truncate"}))
    assert cut["rows"]["truncated"] == 1
    assert cut["rows"]["longest"] == 100


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", -1),
        ("learning_rate", 0),
        ("learning_rate", math.nan),
        ("batch_size", 0),
        ("lora_rank", 0),
        ("method", "magic"),
        ("effort", "heroic"),
        ("eval_fraction", 0.9),
        ("name", "with:colon"),
        ("no_such_field", 1),
    ],
)
def test_bad_parameters_are_named(field, value):
    with pytest.raises(ValidationError) as caught:
        Params.model_validate({"model": "m", "dataset": "d", "name": "n", field: value})
    assert caught.value.errors()[0]["loc"] == (field,)


def test_data_without_conversations_is_refused(tmp_path, tiny_model):
    rows = tiny.write_dataset(tmp_path / "rows", ["just text"], column="text")
    with pytest.raises(InvalidInput) as caught:
        tiny.run(spec_of(tmp_path / "run", tiny_model, rows))
    assert caught.value.code == "dataset_without_messages"
    assert caught.value.data["columns"] == ["text"]


def test_data_without_answers_is_refused(tmp_path, tiny_model):
    rows = tiny.write_dataset(tmp_path / "rows", [[{"role": "user", "content": "Only a question"}]] * 3)
    with pytest.raises(InvalidInput) as caught:
        tiny.run(spec_of(tmp_path / "run", tiny_model, rows))
    assert caught.value.code == "no_training_rows"
    assert caught.value.data["unusable"] == 3


@pytest.mark.parametrize("eval_fraction", [0, 0.1])
def test_loss_that_is_no_number_ends_the_run(tmp_path, rows, eval_fraction):
    import torch
    from safetensors.torch import load_file, save_file

    model = tiny.make_model(tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], torch.inf)
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidInput) as caught:
        tiny.run(spec_of(tmp_path / "run", model, rows, {"eval_fraction": eval_fraction}))
    assert caught.value.code == "loss_not_finite"
    assert not tiny.read_events(tmp_path / "run", "artefact")
