"""The formulas behind the estimates of an import and of a cleaning."""

import json

import pytest

from tests.workers import tiny
from workers.datasets.base import containers, steps
from workers.datasets.clean import Params
from workers.datasets.estimate import FLOOR_MIB, START_S, of_cleaning, of_import

GIB = 1 << 30


def data(rows=1_000_000, characters=300, chinese_rows=0, **given):
    figures = {"characters": rows * characters, "chinese_rows": chinese_rows}
    return {"rows": rows, "report": {"statistics": figures}, "format": "messages", "columns": [], **given}


def cleaning(dataset=None, *names):
    recipe = {"steps": [{"step": name} for name in names]} if names else {}
    return of_cleaning(Params.model_validate({"dataset": "d", **recipe}), dataset=dataset or data())


def test_a_small_file_takes_a_process():
    made = of_import("rows.jsonl", 100)
    assert made.seconds == made.start_s == START_S


@pytest.mark.parametrize("name", containers.names())
def test_every_kind_of_file_has_a_speed(name):
    kind = containers.get(name)
    assert kind.suffixes
    for suffix in kind.suffixes:
        made = of_import("ROWS" + suffix.upper(), GIB)
        assert made.seconds == pytest.approx(START_S + GIB / kind.bytes_per_s, abs=1)
        assert made.memory_mib == FLOOR_MIB


def test_packed_and_unknown_files():
    assert of_import("rows.jsonl.gz", GIB).seconds > 2 * of_import("rows.jsonl", GIB).seconds
    assert of_import("rows", GIB).seconds >= of_import("rows.jsonl", GIB).seconds


@pytest.mark.parametrize("step", steps.names())
def test_every_step_takes_its_time(step):
    assert cleaning(None, step).seconds > START_S
    assert cleaning(None, step, "html").seconds > cleaning(None, step).seconds


def test_more_rows_and_longer_ones_take_longer():
    assert cleaning(data(rows=2_000_000)).seconds == pytest.approx(2 * cleaning().seconds, rel=0.02)
    assert cleaning(data(characters=3000)).seconds > 3 * cleaning().seconds
    assert cleaning(data(format="table", columns=["c"] * 40)).seconds > cleaning().seconds + 100


def test_what_a_step_remembers_of_each_row():
    assert cleaning(None, "html").memory_mib == FLOOR_MIB
    assert cleaning(None, "near_duplicates").memory_mib > FLOOR_MIB + 1000
    chinese = data(chinese_rows=1_000_000)
    assert cleaning(chinese, "near_duplicates").seconds > 2 * cleaning(None, "near_duplicates").seconds


def test_data_of_which_little_is_known():
    made = cleaning({"rows": None, "report": None})
    assert (made.seconds, made.memory_mib, made.rows, made.characters) == (START_S, FLOOR_MIB, 0, 0)
    assert cleaning({"rows": 10, "report": {}, "size_bytes": 500}).characters == 500


def test_a_real_run_needs_about_so_much(tmp_path):
    """An import, and the default recipe on what it made: generous, as machines differ."""
    sent = tmp_path / "sent"
    sent.mkdir()
    lines = [json.dumps({"instruction": f"What is {n} times {n}?", "output": f"{n * n} " * 40}) for n in range(20_000)]
    (sent / "rows.jsonl").write_text("\n".join(lines))
    given = {"source": ("upload", sent, {"filename": "rows.jsonl"})}
    spec = tiny.write_spec(tmp_path / "import", "datasets.import", {"source": "s", "name": "d"}, given)
    close(of_import("rows.jsonl", (sent / "rows.jsonl").stat().st_size), tiny.watched(spec))
    meta = tiny.read_events(spec.parent, "artefact")[-1]["meta"]
    given = {"dataset": ("dataset_version", spec.parent / "outputs" / "dataset", meta)}
    spec = tiny.write_spec(tmp_path / "clean", "datasets.clean", {"dataset": "d"}, given)
    close(cleaning(meta), tiny.watched(spec))


def close(made, taken):
    assert 0.5 * taken.memory_mib < made.memory_mib < 2 * taken.memory_mib
    assert 0.2 * taken.processor_s < made.seconds < 5 * taken.processor_s
