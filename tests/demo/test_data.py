"""The shipped data is what its README says: facts that agree, and questions that are not the ones learned."""

import json
import re
from pathlib import Path
from typing import Any

from workers.spec import Input, Spec

DATA = Path(__file__).resolve().parent.parent.parent / "aifs" / "demo" / "data"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def run_kind(
    directory: Path, kind: str, params: dict[str, Any], name: str, source: Path, meta: dict[str, Any]
) -> dict[str, Any]:
    """Run a job kind in this process, as a worker would, and return its result."""
    from workers.io import RunIO
    from workers.kinds import kinds

    (directory / "inputs").mkdir(parents=True)
    (directory / "inputs" / name).symlink_to(source)
    given = Input(type="upload", id="1", name=name, path=f"inputs/{name}", meta=meta)
    spec = Spec(job="1", kind=kind, params=params, inputs={name: given})
    found = kinds.get(kind)
    return found.run(found.params.model_validate(params), RunIO(directory, spec))


def test_rows_add_up_through_import_and_cleaning(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "instructions.jsonl").write_bytes((DATA / "instructions.jsonl").read_bytes())
    size = (source / "instructions.jsonl").stat().st_size
    meta = {"filename": "instructions.jsonl", "size": size}
    brought = run_kind(tmp_path / "import", "datasets.import", {"source": "1", "name": "x"}, "source", source, meta)
    assert (brought["rows_in"], brought["rows"], brought["quarantined"]) == (92, 84, 8)
    imported = tmp_path / "import" / "outputs" / "dataset"
    meta = {"format": "messages", "rows": 84}
    cleaned = run_kind(tmp_path / "clean", "datasets.clean", {"dataset": "1"}, "dataset", imported, meta)
    assert (cleaned["rows"], cleaned["dropped"]) == (72, 12)
    assert {step for step, count in cleaned["steps"].items() if count} == {
        "length_filter", "exact_duplicates", "near_duplicates",
    }  # fmt: skip


def test_nothing_held_out_is_learned() -> None:
    lines = (DATA / "instructions.jsonl").read_text(encoding="utf-8")
    for row in rows("heldout.jsonl"):
        assert json.dumps(row["instruction"], ensure_ascii=False) not in lines
        assert json.dumps(row["output"], ensure_ascii=False) in lines, "the fact itself is taught"
    for row in rows("benchmark.jsonl"):
        assert json.dumps(row["question"], ensure_ascii=False) not in lines


def test_the_benchmark_is_sound() -> None:
    questions = rows("benchmark.jsonl")
    assert len(questions) >= 40
    assert len({row["question"] for row in questions}) == len(questions)
    for row in questions:
        assert len(set(row["choices"])) == len(row["choices"]) == 4
        assert 0 <= row["answer"] < 4
    places = [row["answer"] for row in questions]
    assert all(places.count(place) >= 5 for place in range(4)), "the right answer stands in every place"


def test_both_languages_are_there() -> None:
    chinese = [row for row in rows("heldout.jsonl") if re.search(r"[\u4e00-\u9fff]", row["instruction"])]
    assert len(chinese) >= 10
    assert len(rows("heldout.jsonl")) - len(chinese) >= 15
