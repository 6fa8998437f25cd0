"""`gpucloud.check` and the runner, by hand: `python -m workers spec.json`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workers.gpucloud.check import Params, run
from workers.io import RunIO
from workers.spec import Spec

ROOT = Path(__file__).resolve().parents[3]


def check(directory, resume_from=None, attempt=1, **params):
    spec = Spec(job="j", kind="gpucloud.check", params=params, attempt=attempt, resume_from=resume_from)
    return run(Params(**params), RunIO(directory, spec))


def test_a_resumed_check_ends_as_an_unbroken_one(run_directory, tmp_path_factory):
    unbroken = check(tmp_path_factory.mktemp("unbroken"), steps=9)
    check(run_directory, steps=5, checkpoint_every=5)
    assert check(run_directory, "checkpoints/5", steps=9) == unbroken


def test_it_says_what_it_does(run_directory):
    check(run_directory, steps=3, checkpoint_every=2)
    events = [json.loads(line) for line in (run_directory / "events.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events if event["type"] == "metric"] == [1, 2, 3]
    assert [event["path"] for event in events if event["type"] == "checkpoint"] == ["checkpoints/2"]
    assert [event["name"] for event in events if event["type"] == "artefact"] == ["report"]


def test_an_asked_for_error(run_directory):
    with pytest.raises(RuntimeError):
        check(run_directory, steps=3, fault="error", fault_at_step=2)
    check(run_directory, attempt=2, steps=3, fault="error", fault_at_step=2)


def test_by_hand_and_again_beside_it(run_directory):
    (run_directory / "spec.json").write_text(json.dumps({"job": "j", "kind": "gpucloud.check", "params": {"steps": 2}}))
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "workers", str(run_directory / "spec.json")], cwd=ROOT, check=False
        )
        assert done.returncode == 0
    results = [
        json.loads((run_directory / part / "events.jsonl").read_text().splitlines()[-1]) for part in (".", "rerun-1")
    ]
    assert results[0]["values"]["digest"] == results[1]["values"]["digest"]


def test_a_resumed_run_is_run_again_from_the_same_step(run_directory):
    check(run_directory, steps=4, checkpoint_every=2)
    shutil.copytree(run_directory / "checkpoints/2", run_directory / "resume/2")
    (run_directory / "events.jsonl").unlink()
    spec = {"job": "j", "kind": "gpucloud.check", "params": {"steps": 4}, "resume_from": "resume/2"}
    (run_directory / "spec.json").write_text(json.dumps(spec))
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "workers", str(run_directory / "spec.json")], cwd=ROOT, check=True)
    found = []
    for part in (".", "rerun-1"):
        events = [json.loads(line) for line in (run_directory / part / "events.jsonl").read_text().splitlines()]
        assert [event["step"] for event in events if event["type"] == "metric"] == [3, 4]
        found.append(events[-1]["values"]["digest"])
    assert found[0] == found[1]


def test_an_unknown_kind_is_an_error_event(run_directory):
    (run_directory / "spec.json").write_text(json.dumps({"job": "j", "kind": "gpucloud.nothing"}))
    done = subprocess.run([sys.executable, "-m", "workers", str(run_directory / "spec.json")], cwd=ROOT, check=False)
    event = json.loads((run_directory / "events.jsonl").read_text())
    assert done.returncode == 1 and event["code"] == "not_found" and "gpucloud.check" in event["data"]["known"]
    assert os.EX_TEMPFAIL == 75
