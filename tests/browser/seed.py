"""Everything of the main job once, made through the SDK: what the pages under test show."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aifs.sdk import Client
from tests.stack.stacks import Stack

WAIT_S = 240.0
QUESTIONS = [(f"What is {a} plus {b}?", f"{a} plus {b} is {a + b}.") for a in range(1, 7) for b in range(1, 6)]


@dataclass
class World:
    """Names of what is there."""

    project: str
    dataset: str = "sums"
    benchmark: str = "sums-choices"
    model: str = "tiny"
    tuned: str = "tiny-sums"
    deployment: str = "tiny-live"
    prompt: str = "sum-helper"


def write_instructions(path: Path) -> Path:
    """Question and answer pairs, one of them twice and two of them broken."""
    rows: list[dict[str, Any]] = [{"instruction": q, "output": a} for q, a in QUESTIONS]
    lines = [json.dumps(row) for row in [*rows, rows[0], {"instruction": "No answer?", "output": ""}]]
    path.write_text("\n".join([*lines, '{"instruction": "broken']) + "\n")
    return path


def write_benchmark(path: Path) -> Path:
    rows = [
        {
            "question": f"{n} + 1 = ?",
            "choices": [str(n), str(n + 1), str(n + 2), str(n + 3)],
            "answer": 1,
            "subject": "sums",
        }
        for n in range(8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def grow_world(stack: Stack, model_archive: Path) -> World:
    access = stack.access
    world = World(access["project"])
    folder = model_archive.parent
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        model = client.models.import_file(model_archive, name=world.model, licence="Apache-2.0")
        data = client.datasets.import_file(write_instructions(folder / "sums.jsonl"), name=world.dataset)
        choices = client.datasets.import_file(
            write_benchmark(folder / "choices.jsonl"), name=world.benchmark, kind="evaluation"
        )
        for job in (model, data, choices):
            job.wait(timeout_s=WAIT_S)
        client.datasets.clean(world.dataset).wait(timeout_s=WAIT_S)
        tuning = {"model": world.model, "dataset": world.dataset, "name": world.tuned, "max_steps": 6, "save_steps": 3}
        client.jobs.run("lmt.sft", tuning | {"max_length": 128}).wait(timeout_s=WAIT_S)
        client.evaluations.start(world.tuned, suite="dataset", benchmark=world.benchmark, dataset=world.dataset).wait(
            timeout_s=WAIT_S
        )
        client.deployments.create(world.tuned, name=world.deployment, runtime="transformers")
        client.deployments.wait(world.deployment, timeout_s=WAIT_S)
        content = {
            "messages": [{"role": "user", "content": "{{ question }}"}],
            "variables": [{"name": "question", "type": "text", "label": "Sum to work out", "primary": True}],
            "settings": {"max_tokens": 12, "temperature": 0},
            "deployment": world.deployment,
        }
        version = client.prompts.push(world.prompt, content)
        client.prompts.publish(f"{world.prompt}:{version['number']}")
    return world
