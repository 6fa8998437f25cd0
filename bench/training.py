"""The training loop as a job of a running stack, against the same TRL script run by hand beside the same stack.

Both train LoRA on a small random Llama with one thread, taking turns; short steps, so that whatever AIFS adds to a
step weighs most. Target: at most 2 % slower at the median, with equal losses.
"""

import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from aifs.sdk import Client
from bench import stacks
from tests.servers import ROOT
from tests.stack.stacks import Stack
from tests.workers.tiny import make_model

ROUNDS = 3
STEPS = 30
TARGET_PERCENT = 2.0
SIZES = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4}
WORDS = ("crane", "quay", "berth", "tide", "pilot", "anchor", "harbour", "cargo", "vessel", "dock", "signal", "rope")


def run(folder: Path) -> dict[str, Any]:
    model, rows = make_model(folder / "model", **SIZES), write_rows(folder / "rows.jsonl")
    with stacks.running(folder) as stack:
        client = Client(stack.access["url"], stack.access["api_key"], stack.access["project"])
        client.models.import_file(model, name="small").wait()
        client.datasets.import_file(rows, name="rows").wait()
        pairs = [(by_hand(model, rows, folder / f"{turn}.json"), as_job(client, stack)) for turn in range(ROUNDS)]
    hand, job = ([seconds(pair[side]) for pair in pairs] for side in (0, 1))
    losses = [[loss for _time, loss in pair[side]] for pair in pairs for side in (0, 1)]
    slower = (statistics.median(job) / statistics.median(hand) - 1) * 100
    return {
        "unit": "s a step",
        "by_hand": [round(value, 4) for value in hand],
        "job": [round(value, 4) for value in job],
        "slower_percent": round(slower, 2),
        "losses_equal": all(each == losses[0] for each in losses),
        "largest_loss_difference": max(abs(a - b) for each in losses for a, b in zip(each, losses[0], strict=True)),
        "target_percent": TARGET_PERCENT,
        "passed": slower <= TARGET_PERCENT and all(each == losses[0] for each in losses),
    }


def write_rows(path: Path) -> Path:
    """Questions and answers of the same length every time."""
    chance = random.Random(42)
    rows = []
    for _number in range(200):
        question, answer = (" ".join(chance.choices(WORDS, k=12)) for _side in range(2))
        chat = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        rows.append(json.dumps({"messages": chat}))
    path.write_text("\n".join(rows) + "\n")
    return path


def by_hand(model: Path, rows: Path, out: Path) -> list[tuple[float, float]]:
    """(time, loss) of every step."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, str(ROOT / "bench" / "plain_trl.py"), str(model), str(rows), str(out), str(STEPS)]
    subprocess.run(command, cwd=out.parent, env=environment, capture_output=True, check=True)
    return [(at, loss) for at, loss in json.loads(out.read_text())]


def as_job(client: Client, stack: Stack) -> list[tuple[float, float]]:
    """(time, loss) of every step, from the run's own events."""
    params = {"model": "small", "dataset": "rows", "name": "tuned", "max_steps": STEPS, "epochs": 100}
    job = client.jobs.start("lmt.sft", params | {"eval_fraction": 0, "seed": 42}, resources={"cpus": 1}).wait()
    lines = (stack.home.path / "runs" / job.id / "1" / "events.jsonl").read_text().splitlines()
    metrics = [event for event in map(json.loads, lines) if event["type"] == "metric" and "loss" in event["values"]]
    return [(event["t"], event["values"]["loss"]) for event in metrics]


def seconds(steps: list[tuple[float, float]]) -> float:
    """Mean time of a step, from the end of the first to the end of the last."""
    return (steps[-1][0] - steps[0][0]) / (len(steps) - 1)
