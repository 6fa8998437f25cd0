"""TRUST faults 1 and 2 on training runs of a running stack that has the lease times it is shipped with: whoever is
killed, the weights are those of a run that nobody disturbed, and another node takes over within 15 s."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import run_processes
from tests.faults.plant import Plant
from tests.servers import ROOT
from tests.workers import tiny

pytestmark = [pytest.mark.timed, pytest.mark.timeout(240)]

TAKEN_OVER_S = 15.0
SECOND = "second"
TUNING: dict[str, Any] = {
    "method": "full", "max_steps": 120, "save_steps": 20, "logging_steps": 1, "batch_size": 2, "eval_fraction": 0,
    "epochs": 100,
}  # fmt: skip
KILLED_AFTER = 25


@pytest.fixture
def second(plant: Plant) -> Iterator["subprocess.Popen[bytes]"]:
    """The agent of another node, which nobody starts again when it dies."""
    home = plant.folder / SECOND
    storage = f"file://{plant.stack.home.path / 'storage'}"
    own = {"AIFS_HOME": str(home), "AIFS_NODE_NAME": SECOND, "STORAGE_URL": storage}
    home.mkdir()
    with (home / "agent.log").open("ab") as log:
        agent = subprocess.Popen(
            [sys.executable, "manage.py", "agent"], cwd=ROOT, env=plant.stack.environment | plant.settings() | own,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    yield agent
    agent.kill()
    agent.wait(20)


def nodes(plant: Plant, **states: str) -> None:
    """Say of each node what it is to be: ready, or cordoned so that new jobs go elsewhere."""
    for name, state in states.items():
        plant.rows("UPDATE gpucloud_node SET state = %s WHERE name = %s RETURNING name", state, name)


def attempts(plant: Plant, job: Any) -> list[dict[str, Any]]:
    return plant.rows(
        "SELECT attempt.*, node.name AS node FROM gpucloud_attempt attempt JOIN gpucloud_node node ON node.id = node_id"
        " WHERE job_id = %s ORDER BY number", job.id,
    )  # fmt: skip


def run_dir(plant: Plant, job: Any) -> Path:
    """Of its newest attempt, once that has a process."""

    def look() -> Path | None:
        newest = attempts(plant, job)[-1:]
        folder = Path(newest[0]["run_dir"] or "/nowhere") if newest else Path("/nowhere")
        return folder if (folder / "supervisor.json").exists() else None

    found: Path = plant.until(look, 60, "the start of the run")
    return found


def kill_in_the_middle(plant: Plant, folder: Path, home: Path, *also: int) -> float:
    """Kill the training process at its next step, and whoever else; the supervisor first, else it would tell. Returns
    when."""
    step = lambda: max((event["step"] for event in tiny.read_events(folder, "metric")), default=0)  # noqa: E731
    plant.until(lambda: step() >= KILLED_AFTER, 90, f"step {KILLED_AFTER}")
    supervisor = json.loads((folder / "supervisor.json").read_text())["pid"]
    family = [pid for pid, run in run_processes.of_homes([home]).items() if run == str(folder) and pid != supervisor]
    assert family and step() < TUNING["max_steps"], "it has been faster than we"
    for pid in [*also, *family]:
        os.kill(pid, signal.SIGKILL)
    return time.time()


def outcome(plant: Plant, job: Any) -> tuple[str, str, list[float]]:
    """What must be equal to the last bit: the version, its weights, and the losses of all steps."""
    version = plant.client.models.version_of(job.wait(timeout_s=120))
    artefact = plant.rows("SELECT sha256, manifest FROM core_artefact WHERE id = %s", version["id"])[0]
    loss = job.metrics()["loss"]
    assert loss["steps"] == list(range(1, TUNING["max_steps"] + 1))
    return artefact["sha256"], artefact["manifest"]["model.safetensors"]["sha256"], loss["values"]


def test_killed_training_ends_with_the_same_weights(plant: Plant, second: "subprocess.Popen[bytes]") -> None:
    """One run is left alone, one loses its training process, one loses that with its supervisor and its agent."""
    first_home, second_home = plant.stack.home.path, plant.folder / SECOND
    (first,) = [row["name"] for row in plant.rows("SELECT name FROM gpucloud_node WHERE name <> %s", SECOND)]
    params = {**TUNING, "model": plant.import_model("toy"), "dataset": plant.import_rows(), "name": "tuned"}
    train = lambda: plant.start("lmt.sft", params, resources={"cpus": 1})  # noqa: E731
    plant.until(lambda: plant.rows("SELECT FROM gpucloud_node WHERE name = %s", SECOND), what="the second node")

    nodes(plant, **{first: "cordoned"})
    abandoned = train()
    folder = run_dir(plant, abandoned)
    nodes(plant, **{first: "ready", SECOND: "cordoned"})
    wounded = train()
    supervisor = json.loads((folder / "supervisor.json").read_text())["pid"]
    saved = "SELECT FROM gpucloud_checkpoint WHERE job_id = %s AND step = 20"
    plant.until(lambda: plant.rows(saved, abandoned.id), 90, "a checkpoint in storage")
    killed = kill_in_the_middle(plant, folder, second_home, second.pid, supervisor)
    kill_in_the_middle(plant, run_dir(plant, wounded), first_home)
    unbroken = train()

    expected = outcome(plant, unbroken)
    assert outcome(plant, wounded) == expected
    assert outcome(plant, abandoned) == expected
    one, two = attempts(plant, wounded)
    assert (one["state"], one["reason"]["data"]) == ("failed", {"signal": "SIGKILL"})
    assert two["resumed_from_step"] >= 20 and two["node"] == first
    one, two = attempts(plant, abandoned)
    assert (one["state"], one["node"], two["node"]) == ("lost", SECOND, first)
    assert two["resumed_from_step"] >= 20
    took = two["started_at"].timestamp() - killed
    print(f"taken over after {took:.1f} s")
    assert took < TAKEN_OVER_S
    plant.check_history(homes=[first_home, second_home])
