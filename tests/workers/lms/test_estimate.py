"""The formulas behind the estimates of work on a model."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.workers import tiny
from workers.estimates import FLOOR_MIB
from workers.lms.engines.base import runtimes
from workers.lms.estimate import IMPORT_START_S, of_evaluation, of_import, of_publish, of_serving
from workers.lms.evaluate import Params as EvaluateParams
from workers.lms.importing import Params as ImportParams
from workers.lms.model_folder import read_facts
from workers.lms.serve import Params as ServeParams

SMOL = {
    "parameters": 134_515_008,
    "context_length": 8192,
    "shape": {
        "hidden_size": 576, "layers": 30, "intermediate_size": 1536, "heads": 9, "vocab_size": 49152, "kv_heads": 3,
        "head_size": 64,
    },
}  # fmt: skip
TOKEN_BYTES = 2 * 4 * 30 * 3 * 64
"""Keys and values of one token of SmolLM2 in float32."""


def data(rows=100, characters=400):
    return {"rows": rows, "report": {"statistics": {"characters_mean": characters, "messages_mean": 2}}}


def evaluation(benchmark=None, dataset=None, **given):
    named = {"benchmark": "b"} if benchmark else {}
    params = EvaluateParams.model_validate({"model": "m", **named, **({"dataset": "d"} if dataset else {}), **given})
    return of_evaluation(params, model=SMOL, benchmark=benchmark, dataset=dataset, cpus=1)


def serving(model=SMOL, **given):
    return of_serving(ServeParams.model_validate({"model": "m", **given}), model=model)


def test_more_questions_take_longer():
    few, many = evaluation(data(10)), evaluation(data(1000))
    assert many.seconds > few.seconds + 100
    assert evaluation(data(100), shots=5).seconds > 3 * evaluation(data(100)).seconds
    assert (many.questions, many.rows, many.answers) == (1000, 0, 0)


def test_no_more_rows_than_are_measured():
    assert evaluation(dataset=data(10_000)).rows == 500
    assert evaluation(dataset=data(10_000), dataset_rows=20).seconds < evaluation(dataset=data(10_000)).seconds


def test_answers_are_written_one_token_after_the_other():
    extra = (
        evaluation(prompts=["a", "b"], answer_tokens=100).seconds - evaluation(prompts=["a"], answer_tokens=1).seconds
    )
    assert extra == pytest.approx(199 * 134_515_008 * 4 / 6.5e9, abs=1)


def test_a_published_benchmark_is_counted_only_when_it_is_read():
    made = evaluation(suite="mmlu")
    assert made.seconds is None
    assert "counted" in made.note
    assert made.memory_mib > FLOOR_MIB + 134_515_008 * 4 / 2**20


def test_the_cache_is_as_large_as_asked_for_and_as_can_be_filled():
    made = serving(cache_gib=2.0)
    assert made.cache_bytes == pytest.approx(2 * 2**30, rel=0.01)
    assert made.cache_tokens == pytest.approx(2 * 2**30 / TOKEN_BYTES, rel=0.01)
    short = serving(cache_gib=100.0, context_length=256, max_running=1)
    assert short.cache_bytes == 256 * 8 * TOKEN_BYTES
    assert serving(precision="f16").memory_mib < serving().memory_mib
    assert serving(context_length=1 << 20).context_length == 8192


@pytest.mark.parametrize("runtime", ["auto", *runtimes.names()])
def test_every_engine_says_what_it_keeps_of_a_weight(runtime):
    assert serving(runtime=runtime).weights_bytes >= 2 * SMOL["parameters"]


def test_a_model_of_which_nothing_is_known():
    made = serving(model={})
    assert (made.cache_tokens, made.cache_bytes) == (0, 2**30)
    assert [figure.label for figure in made.figures] == ["Key/value cache", "Context length"]


def test_a_real_run_needs_about_so_much(tmp_path, tiny_model):
    """A tiny model: the floor is nearly all there is, and neither far too high nor too low."""
    questions = [{"question": f"{n} + 1?", "choices": [str(n), str(n + 1)], "answer": 1} for n in range(4)]
    (tmp_path / "questions").mkdir()
    pq.write_table(pa.Table.from_pylist(questions), tmp_path / "questions" / "data.parquet")
    inputs = {
        "model": ("model_version", tiny_model, {}), "benchmark": ("dataset_version", tmp_path / "questions", {})
    }  # fmt: skip
    params = {"model": "m", "benchmark": "b"}
    taken = tiny.watched(tiny.write_spec(tmp_path / "run", "lms.evaluate", params, inputs))
    model = read_facts(tiny_model).meta()
    made = of_evaluation(
        EvaluateParams.model_validate(params), model=model, benchmark={"rows": 4}, dataset=None, cpus=1
    )
    assert 0.5 * taken.memory_mib < made.memory_mib < 2 * taken.memory_mib


def imported(filename, size_bytes=1 << 30, **given):
    return of_import(ImportParams(source="s", name="n", **given), filename, size_bytes)


def test_an_import_is_reckoned_from_the_file():
    assert imported("a.zip", 10).seconds == IMPORT_START_S
    assert imported("a.tar").seconds < imported("a.zip").seconds < imported("A.TAR.GZ").seconds
    assert imported("a.tar").memory_mib == imported("a.tar", 10).memory_mib
    assert imported("a").seconds == imported("a.tar").seconds


def test_a_gguf_file_is_written_out_in_another_format():
    small, large = imported("m.gguf"), imported("m.gguf", dtype="float32")
    assert small.memory_mib > 2 * 1024
    assert (large.memory_mib, large.seconds) > (small.memory_mib, small.seconds)


def test_publishing_loads_the_whole_model():
    whole = of_publish(model=SMOL, is_adapter=False)
    assert whole.memory_mib > 134_515_008 * 4 / 2**20
    assert of_publish(model=SMOL, is_adapter=True).seconds > whole.seconds
    assert of_publish(model={**SMOL, "dtype": "bfloat16"}, is_adapter=False).memory_mib > whole.memory_mib
    assert of_publish(model={}, is_adapter=False).seconds > 0


def test_bringing_a_model_in_needs_about_so_much(tmp_path, tiny_model):
    packed = Path(shutil.make_archive(str(tmp_path / "sent" / "model"), "zip", tiny_model))
    given = {"source": ("upload", packed.parent, {"filename": packed.name})}
    taken = tiny.watched(tiny.write_spec(tmp_path / "run", "lms.import", {"source": "s", "name": "n"}, given))
    close(imported(packed.name, packed.stat().st_size), taken)


def test_publishing_needs_about_so_much(tmp_path, tiny_model):
    given = {"model": ("model_version", tiny_model, {}), "checkpoint": ("checkpoint", tiny_model, {})}
    wanted = {"model": "m", "checkpoint": "c", "name": "n"}
    taken = tiny.watched(tiny.write_spec(tmp_path / "run", "lms.publish", wanted, given))
    close(of_publish(model=read_facts(tiny_model).meta(), is_adapter=False), taken)


def close(made, taken):
    assert 0.5 * taken.memory_mib < made.memory_mib < 2 * taken.memory_mib
    assert 0.2 * taken.processor_s < made.seconds < 5 * taken.processor_s
