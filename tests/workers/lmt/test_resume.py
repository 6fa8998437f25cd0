"""Killed, stopped or cut off: a training run ends with the same losses and weights as if nothing had happened."""

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.workers import tiny, warm
from tests.workers.lmt.test_sft import ROWS, samples, series, spec_of

pytestmark = pytest.mark.fault
PARAMS = {"max_steps": 16, "save_steps": 4, "lora_dropout": 0.1, "eval_steps": 6, "sample_tokens": 8}
STOPPED = 75


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    return tiny.write_dataset(tmp_path_factory.mktemp("rows"), ROWS)


@pytest.fixture(scope="module", params=["lora", "full"])
def unbroken(request, tmp_path_factory, tiny_model, rows) -> tuple[str, Path]:
    directory = tmp_path_factory.mktemp("unbroken") / "run"
    process = warm.start(spec_of(directory, tiny_model, rows, {**PARAMS, "method": request.param}))
    assert process.wait(timeout=100) == 0, (directory / "output.log").read_text()[-3000:]
    return request.param, directory


def wait_for(directory: Path, type: str, step: int, process) -> None:
    """Until an event of that step is written; the run is watched, not timed."""
    deadline = time.monotonic() + 100
    while not any(event.get("step", 0) >= step for event in tiny.read_events(directory, type)):
        assert process.poll() is None, (directory / "output.log").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def resumed(directory: Path, checkpoint: str):
    """What the agent does: a new attempt with the newest checkpoint in it."""
    spec = json.loads((directory / "spec.json").read_text())
    spec["resume_from"] = checkpoint
    (directory / "spec.json").write_text(json.dumps(spec))
    return warm.start(directory / "spec.json")


def assert_equal(directory: Path, unbroken: Path) -> None:
    assert series(directory, "loss") == series(unbroken, "loss")
    assert series(directory, "eval_loss") == series(unbroken, "eval_loss")
    ours, theirs = (path / "outputs" / "model" / "model.safetensors" for path in (directory, unbroken))
    assert ours.read_bytes() == theirs.read_bytes()
    assert samples(directory) == samples(unbroken)
    assert list(samples(unbroken)) == [0, 6, 12, 16]
    first, second = (tiny.read_events(path, "result")[-1]["values"] for path in (directory, unbroken))
    assert first == second


def test_stopped_by_a_signal_and_killed_in_the_middle_of_a_step(tmp_path, tiny_model, rows, unbroken):
    """Stopped, it writes a checkpoint wherever it is; killed, it loses one interval at most."""
    method, whole = unbroken
    run = tmp_path / "run"
    process = warm.start(spec_of(run, tiny_model, rows, {**PARAMS, "method": method}))
    wait_for(run, "metric", 2, process)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=30) == STOPPED
    assert not tiny.read_events(run, "result")
    stopped = tiny.read_events(run, "checkpoint")[-1]
    assert stopped["step"] < PARAMS["max_steps"]
    process = resumed(run, stopped["path"])
    wait_for(run, "metric", max(6, stopped["step"] + 1), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    killed = tiny.read_events(run, "metric")[-1]["seq"]
    process = resumed(run, tiny.read_events(run, "checkpoint")[-1]["path"])
    assert process.wait(timeout=100) == 0, (run / "output.log").read_text()[-3000:]
    assert_equal(run, whole)
    steps = [(event["seq"] > killed, event["step"]) for event in tiny.read_events(run, "metric")]
    again = {step for late, step in steps if late} & {step for late, step in steps if not late}
    assert len(again) <= PARAMS["save_steps"]


def test_checkpoint_is_whole_or_absent(tmp_path, monkeypatch):
    """Killed at each flush to the disk, a checkpoint folder holds everything or does not exist."""
    from workers.io import RunIO
    from workers.lmt.loop import checkpoints
    from workers.spec import Spec

    io = RunIO(tmp_path, Spec(job="j", kind="lmt.sft"))
    names = ["adapter.safetensors", "optimizer.pt", "trainer_state.json"]

    class Killed(BaseException):
        pass

    for moment in range(6):
        written = io.scratch("trainer") / f"checkpoint-{moment}"
        written.mkdir()
        for name in names:
            (written / name).write_text(name)
        left = moment

        def sync(path: Path) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        monkeypatch.setattr(checkpoints, "_sync", sync)
        with contextlib.suppress(Killed):
            checkpoints.publish(io, written, moment, {"loss_before": 1.0}, {})
        folder = tmp_path / "checkpoints" / str(moment)
        announced = [event["step"] for event in tiny.read_events(tmp_path, "checkpoint")]
        assert not folder.exists() or {path.name for path in folder.iterdir()} == {*names, "run.json"}
        assert (moment in announced) <= folder.exists()
        shutil.rmtree(folder, ignore_errors=True)


def test_only_the_newest_checkpoints_stay(tmp_path, tiny_model, rows):
    tiny.run(spec_of(tmp_path / "run", tiny_model, rows, {"max_steps": 10, "save_steps": 2}))
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["10", "6", "8"]
    assert not list((tmp_path / "run" / "checkpoints").rglob("training_args.bin"))
