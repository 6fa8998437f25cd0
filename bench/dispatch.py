"""From submitting a job to its child's first event, against the same job started by hand.

By hand: `python -m workers spec.json`. Both run the empty job `gpucloud.check`, taking turns. Target: at the median at
most 100 ms more.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import stacks
from bench.measures import summary
from tests.servers import ROOT
from tests.stack.stacks import Stack
from workers.spec import Spec

ROUNDS = 15
TARGET_MS = 100.0
KIND = "gpucloud.check"
PARAMS = {"steps": 0, "report": False}


def run(folder: Path) -> dict[str, Any]:
    with stacks.running(folder) as stack:
        through_stack(stack)  # the first job of a stack also fills caches
        pairs = [(by_hand(folder / f"hand-{turn}"), through_stack(stack)) for turn in range(ROUNDS)]
    hand, job = ([pair[side] * 1000 for pair in pairs] for side in (0, 1))
    added = summary(job)["p50"] - summary(hand)["p50"]
    return {
        "unit": "ms",
        "by_hand": summary(hand),
        "job": summary(job),
        "added_p50": round(added, 1),
        "target_ms": TARGET_MS,
        "passed": added <= TARGET_MS,
    }


def through_stack(stack: Stack) -> float:
    """Seconds from before the HTTP call to the first event."""
    began = time.time()
    job = stacks.submit(stack, KIND, PARAMS)
    event = stacks.first_event(stack.home.path / "runs" / job / "1")
    if stacks.wait(stack, job)["state"] != "succeeded":
        raise RuntimeError(f"job {job} did not succeed")
    return float(event["t"]) - began


def by_hand(directory: Path) -> float:
    """Seconds from before the process starts to the first event."""
    directory.mkdir()
    Spec(job=directory.name, kind=KIND, params=PARAMS).write(directory / "spec.json")
    began = time.time()
    command = [sys.executable, "-m", "workers", str(directory / "spec.json")]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    return float(json.loads((directory / "events.jsonl").read_text().splitlines()[0])["t"]) - began
