"""What goes on while the nemesis is at work: jobs of several kinds, answers and streams, pages. What is submitted
follows from the seed."""

import contextlib
import functools
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

from aifs.sdk.errors import AifsError
from tests.faults.clients import chat, chat_stream, read, steadily
from tests.faults.plant import DEPLOYMENT, Plant

PAGES = ("/api/v1/jobs/", "/api/v1/models/", "/api/v1/datasets/", "/api/v1/deployments/", "/health/ready")
MEMORY_MIB = 300
"""Of a check. One that takes twice of it is out of memory."""
TRAINING = {"max_steps": 24, "save_steps": 4, "batch_size": 2, "method": "full", "eval_fraction": 0}


class Workload:
    def __init__(self, plant: Plant, seed: int, model: str, dataset: str) -> None:
        self.plant, self.dice, self.lock = plant, random.Random(seed + 1), threading.Lock()
        self.model, self.dataset = model, dataset
        self.started: list[Any] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        plant, records = self.plant, self.plant.records
        ask = functools.partial(chat, plant.gateway_url, plant.key, DEPLOYMENT, records)
        stream = functools.partial(chat_stream, plant.gateway_url, plant.key, DEPLOYMENT, records)
        leave = functools.partial(stream, leave_after=5, max_tokens=300)
        with (
            steadily(self.check, self.look, ask, stream, every_s=1.5),
            steadily(leave, self.cancel, every_s=5),
            steadily(self.bring, every_s=20),
            steadily(self.train, every_s=45),
        ):
            yield

    def check(self) -> None:
        with self.lock:
            steps, every = self.dice.randint(10, 150), self.dice.choice([5, 10, 25])
            fault = self.dice.choice(["none"] * 7 + ["crash", "crash_in_checkpoint"])
            greedy = self.dice.random() < 0.05
        params = {"steps": steps, "seconds_per_step": 0.05, "checkpoint_every": every, "fault": fault,
                  "fault_at_step": steps // 2, "memory_mib": 2 * MEMORY_MIB if greedy else 0}  # fmt: skip
        self._start(lambda: self.plant.start("gpucloud.check", params, resources={"memory_mib": MEMORY_MIB}))

    def train(self) -> None:
        """A real one, with checkpoints."""
        params = {"model": self.model, "dataset": self.dataset, "name": "tuned", **TRAINING}
        self._start(lambda: self.plant.start("lmt.sft", params, resources={"cpus": 1}))

    def bring(self) -> None:
        """Upload and import a file of rows."""

        def start() -> Any:
            path = self.plant.folder / f"rows-{len(self.started)}.jsonl"
            path.write_text("\n".join(f'{{"instruction": "{n}", "output": "{n}"}}' for n in range(50)) + "\n{bad")
            job = self.plant.client.datasets.import_file(path, name="brought")
            self.plant.records.accept(job.id)
            return job

        self._start(start)

    def cancel(self) -> None:
        """One of the newest jobs; it may have ended meanwhile."""
        with self.lock:
            job = self.dice.choice(self.started[-6:]) if self.started else None
        if job is not None:
            self._try("cancel", job.cancel, also={409})

    def look(self) -> None:
        with self.lock:
            page = self.dice.choice(PAGES)
        read(self.plant.stack.access["url"], self.plant.key, page, self.plant.records)

    def _start(self, start: Callable[[], Any]) -> None:
        job = self._try("submit", start)
        if job is not None:
            self.started.append(job)

    def _try(self, what: str, work: Callable[[], Any], also: frozenset[int] | set[int] = frozenset()) -> Any:
        self.plant.records.count()
        try:
            return work()
        except AifsError as error:
            if error.answered not in also:
                self.plant.records.fail(what, error.answered, str(error))
        return None
