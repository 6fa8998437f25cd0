"""The demo with a tiny model, few rows and a short tuning: every step of it, as cheap as it gets."""

import copy
import json
from pathlib import Path
from typing import Any
from unittest import mock

from aifs.demo import run
from aifs.demo.screen import Screen
from aifs.sdk import Client
from tests.workers.tiny import CHATML, make_model

TUNING = {"max_steps": 4, "batch_size": 4, "learning_rate": 1e-5, "method": "full", "max_length": 128}
THINGS = ("harbour", "lantern", "orchard", "violin", "glacier", "kettle", "meadow", "compass", "anchor", "pepper",
          "saddle", "thunder", "window", "blanket", "copper", "feather")  # fmt: skip
ROWS = [
    {"instruction": f"Where is the {thing}?", "output": f"The {thing} is in room {n}."}
    for n, thing in enumerate(THINGS)
]
QUESTIONS = [
    {"subject": "rooms", "question": f"Room of the {thing}?", "choices": ["one", "two"], "answer": n % 2}
    for n, thing in enumerate(THINGS[:4])
]
SPOKEN = CHATML.replace("['role'] + '\n'", "['role'] + ':'").replace("assistant\n'", "assistant:'")
"""A random model repeats what it read last; here that is something to see, and it is not tuned enough to forget it."""
FOUND_AGAIN = ("loss_after", "answer_after", "benchmark", "openai_answer", "prompt_service_answer")
"""What is asked and measured again on a copy, and must be the same."""


class SmallDemo(run.Demo):
    def __init__(self, access: dict[str, Any], folder: Path) -> None:
        super().__init__(access, folder, folder / "rows.jsonl", Screen())

    def run(self) -> dict[str, Any]:
        self.folder.mkdir(parents=True)
        for name, rows in {"rows": ROWS, "benchmark": QUESTIONS}.items():
            (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        with mock.patch.multiple(run, DATA=self.folder, TUNING=TUNING):
            return super().run()

    def import_model(self) -> None:
        path = make_model(self.folder / "tiny", template=SPOKEN, seed=7)
        job = self._wait(self.client.models.import_file(path, name=run.MODEL))
        self.model = self.client.models.version_of(job)["id"]

    def again(self, access: dict[str, Any]) -> dict[str, Any]:
        """The report of a copy of the installation: nothing is made anew, all that can be measured is."""
        other = copy.copy(self)
        other.access, other.found = access, {**self.found, **dict.fromkeys(FOUND_AGAIN)}
        other.found["benchmark"] = {run.BENCHMARK: {"before": self.found["benchmark"][run.BENCHMARK]["before"]}}
        with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as other.client:
            other.evaluate("after", self.tuned)
            other.chat()
            other.found["prompt_service_answer"] = other._first_answer(self.found["prompt_service"])
            other.found["urls"] = other.urls()
        return other.found
