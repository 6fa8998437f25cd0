"""Where two trees of files part: real Parquet, safetensors, JSON and plain files."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from workers.differences.files import compare_trees


class Trees:
    """Two folders; `compare` stores them by hash, as the platform does."""

    def __init__(self, root: Path) -> None:
        self.ours, self.theirs, self.store = root / "ours", root / "theirs", {}
        self.ours.mkdir()
        self.theirs.mkdir()

    def manifest(self, folder: Path):
        entries = {}
        for path in sorted(folder.iterdir()):
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            self.store[sha256] = path
            entries[path.name] = {"sha256": sha256, "size": path.stat().st_size}
        return entries

    def compare(self, tolerance: float = 1e-3):
        ours, theirs = self.manifest(self.ours), self.manifest(self.theirs)
        return compare_trees(ours, theirs, lambda sha256: self.store[sha256].open("rb"), tolerance, tolerance)


@pytest.fixture
def trees(tmp_path):
    return Trees(tmp_path)


def test_equal_trees(trees):
    for folder in (trees.ours, trees.theirs):
        (folder / "a.txt").write_text("same")
    assert trees.compare() == []


def test_files_on_one_side_only(trees):
    (trees.ours / "a.txt").write_text("a")
    (trees.theirs / "b.txt").write_text("b")
    first, second = trees.compare()
    assert (first.data["file"], "missing" in first.message) == ("a.txt", True)
    assert (second.data["file"], "only in" in second.message) == ("b.txt", True)


def write_rows(path, rows, **options):
    pq.write_table(pa.table({"id": [str(n) for n in range(len(rows))], "text": rows}), path, **options)


def test_the_first_row_that_differs(trees):
    rows = [f"row {n}" for n in range(2500)]
    write_rows(trees.ours / "data.parquet", rows)
    rows[1700] = "planted"
    write_rows(trees.theirs / "data.parquet", rows)
    (found,) = trees.compare()
    assert (found.what, found.within, found.data["row"], found.data["place"]) == ("row", False, 1701, "text")
    assert found.data["repeated"] == "planted"


def test_rows_that_are_missing(trees):
    write_rows(trees.ours / "data.parquet", ["a", "b"])
    write_rows(trees.theirs / "data.parquet", ["a"])
    assert trees.compare()[0].data["row"] == 2


def test_the_same_rows_written_in_another_way(trees):
    write_rows(trees.ours / "data.parquet", ["a", "b"], compression="zstd")
    write_rows(trees.theirs / "data.parquet", ["a", "b"], compression="snappy")
    (found,) = trees.compare()
    assert found.within and "holds the same" in found.message


def test_tensors_within_and_beyond_the_tolerance(trees):
    weights = {"a": np.ones((4, 4), np.float32), "b": np.arange(6, dtype=np.float32), "n": np.arange(3)}
    save_file(weights, trees.ours / "model.safetensors")
    save_file({**weights, "b": weights["b"] * np.float32(1.0001)}, trees.theirs / "model.safetensors")
    (near,) = trees.compare()
    assert near.within and near.data["tensor"] == "b" and near.data["gap"] == pytest.approx(1e-4, rel=0.01)
    save_file({**weights, "b": weights["b"] * np.float32(1.1)}, trees.theirs / "model.safetensors")
    (far,) = trees.compare()
    assert not far.within and far.data["tensor"] == "b"
    save_file({**weights, "n": np.arange(3) + 1}, trees.theirs / "model.safetensors")
    assert not trees.compare(1e9)[0].within, "whole numbers have no noise"
    save_file({**weights, "a": np.ones((2, 8), np.float32)}, trees.theirs / "model.safetensors")
    assert not trees.compare()[0].within


def test_bfloat16_and_metadata(trees):
    import torch
    from safetensors.torch import save_file as save

    values = torch.linspace(-3, 3, 1000).to(torch.bfloat16)
    save({"w": values}, trees.ours / "model.safetensors", metadata={"by": "one"})
    save({"w": values}, trees.theirs / "model.safetensors", metadata={"by": "another"})
    assert "holds the same" in trees.compare()[0].message
    save({"w": values * 2}, trees.theirs / "model.safetensors")
    assert trees.compare()[0].data["gap"] == pytest.approx(1.0)


@pytest.mark.parametrize("junk", [b"", b"\x05\x00\x00\x00\x00\x00\x00\x00{]", b"\xff" * 16])
def test_broken_tensors_differ_and_say_so(trees, junk):
    (trees.ours / "model.safetensors").write_bytes(b"x" + junk)
    (trees.theirs / "model.safetensors").write_bytes(junk)
    (found,) = trees.compare()
    assert not found.within and "cannot be read" in found.message


def test_lines_of_answers(trees):
    rows = [{"question": n, "choice": n % 4, "scores": [-1.0, -2.0]} for n in range(5)]
    (trees.ours / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows[2]["scores"] = [-1.00001, -2.0]
    (trees.theirs / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert trees.compare()[0].within
    rows[3]["choice"] = 9
    (trees.theirs / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = trees.compare()
    assert (found.within, found.data["row"], found.data["place"]) == (False, 4, "choice")


def test_versions_of_libraries_and_times_are_no_difference(trees):
    (trees.ours / "config.json").write_text('{"transformers_version": "5.0", "hidden_size": 64, "load_s": 1.5}')
    (trees.theirs / "config.json").write_text('{"transformers_version": "5.1", "hidden_size": 64, "load_s": 9}')
    assert "holds the same" in trees.compare()[0].message
    (trees.theirs / "config.json").write_text('{"transformers_version": "5.1", "hidden_size": 65}')
    found = trees.compare()[0]
    assert (found.within, found.data["place"], found.data["repeated"]) == (False, "hidden_size", "65")


def test_other_files_name_the_first_byte(trees):
    (trees.ours / "a.bin").write_bytes(b"abcdef")
    (trees.theirs / "a.bin").write_bytes(b"abcXef")
    assert trees.compare()[0].data["byte"] == 4
    (trees.theirs / "a.bin").write_bytes(b"abc")
    assert trees.compare()[0].data["byte"] == 4
