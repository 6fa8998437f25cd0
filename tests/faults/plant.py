"""A whole stack with a tiny model behind its gateway, as the users meet it, and the judge of what becomes of it.

Everything goes through the public ports; no Django here, so that the nemesis can use it as well as the tests.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from aifs.embedded.ports import LOOPBACK, free_port
from aifs.sdk import Client
from tests.faults.clients import Records
from tests.faults.clock import Clock
from tests.faults.history import History, Violation
from tests.servers import ROOT
from tests.stack.stacks import Stack
from tests.workers import tiny

MODEL, DEPLOYMENT = "tiny", "helper"
SERVING = {"cache_gib": 0.05, "drain_s": 4}
QUIET = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "AIFS_DISK_FLOOR": "0"}
ROWS = [{"instruction": f"What is {a} and {b}?", "output": f"It is {a + b}."} for a in range(6) for b in range(6)]


def becomes(condition: Callable[[], Any], timeout_s: float) -> Any:
    """What the condition gives as soon as it is true, or after this time in vain."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


class Plant:
    """folder: everything of it lies below. clock: of the stack's processes, where it is to jump. environment: of them,
    too. outside: host and port of an endpoint elsewhere, which whoever needs one may start."""

    def __init__(self, folder: Path, clock: Clock | None = None, **environment: str) -> None:
        self.folder, self.clock = folder, clock
        self.outside = f"{LOOPBACK}:{free_port()}"
        self.stack = Stack(folder / "home", AIFS_PRIVATE_HOSTS=self.outside, **QUIET, **environment,
                           **(clock.environment if clock else {}))  # fmt: skip
        self.records = Records()

    def up(self) -> "Plant":
        self.stack.up()
        access = self.stack.access
        self.gateway_url, self.key = access["gateway_url"], access["api_key"]
        self.client = Client(access["url"], self.key, access["project"], self.gateway_url)
        return self

    def down(self) -> None:
        self.client.close()
        self.stack.down()

    # --- what is there to be harmed

    def import_model(self, name: str = MODEL, **config: Any) -> str:
        """Returns the id of the version."""
        folder = tiny.make_model(self.folder / f"model-{name}-{time.monotonic_ns()}", **config)
        job = self.client.models.import_file(folder, name=name)
        self.records.accept(job.id)
        return str(self.client.models.version_of(job.wait(timeout_s=120))["id"])

    def import_rows(self, name: str = "sums") -> str:
        path = self.folder / f"{name}-{time.monotonic_ns()}.jsonl"
        path.write_text("\n".join(map(json.dumps, ROWS)))
        job = self.client.datasets.import_file(path, name=name)
        self.records.accept(job.id)
        return str(self.client.datasets.version_of(job.wait(timeout_s=120))["id"])

    def deploy(self, model: str, name: str = DEPLOYMENT, **params: Any) -> None:
        self.client.deployments.create(model, name=name, params=SERVING | params)
        self.client.deployments.wait(name, timeout_s=120)

    def start(self, kind: str, params: dict[str, Any], **options: Any) -> Any:
        job = self.client.jobs.start(kind, params, **options)
        self.records.accept(job.id)
        return job

    # --- looking

    @property
    def database_url(self) -> str:
        return self.stack.environment.get("DATABASE_URL") or self.settings()["DATABASE_URL"]

    def settings(self) -> dict[str, str]:
        """Where its servers are, and its secret: what an agent on another machine would be told."""
        return dict(line.split("=", 1) for line in self.stack.home.stack_env.read_text().splitlines() if "=" in line)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row, connect_timeout=5) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type]

    @contextlib.contextmanager
    def without_connections(self, *, even_its_own: bool = False) -> Iterator[int]:
        """Take every connection that PostgreSQL has left, as careless reports would. even_its_own: those that the stack
        has too, by cutting them off and being faster than it."""
        held: list[psycopg.Connection] = []
        try:
            self._take_connections(held)
            while even_its_own and len(held) < _given(held[0]):
                self._cut_others_off(held)
                self._take_connections(held)
            yield len(held)
        finally:
            for connection in held:
                connection.close()

    def _take_connections(self, held: list[psycopg.Connection]) -> None:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.append(psycopg.connect(self.database_url, autocommit=True, connect_timeout=3))

    def _cut_others_off(self, held: list[psycopg.Connection]) -> None:
        others = "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        own = [connection.info.backend_pid for connection in held]
        held[0].execute(f"{others} AND pid <> ALL(%s)", [own])

    def until(self, condition: Callable[[], Any], timeout_s: float = 60.0, what: str = "it") -> Any:
        found = becomes(condition, timeout_s)
        assert found, f"{what} did not happen in {timeout_s} s\n{self.story()}"
        return found

    def rest(self, timeout_s: float) -> bool:
        """Whether every job that is no service ends in this time."""
        waiting = "SELECT 1 FROM gpucloud_job WHERE NOT service AND state NOT IN ('succeeded', 'failed', 'cancelled')"
        return bool(becomes(lambda: not self.rows(f"{waiting} LIMIT 1"), timeout_s))

    # --- the judge

    def history(self, **known: Any) -> History:
        records, straight = self.records, self.clock.straight if self.clock else float
        given = {
            "accepted": records.accepted,
            "answers": records.answers,
            "broken": records.broken,
            "straight": straight,
        }
        home = self.stack.home.path
        return History(self.database_url, home / "storage", **{"homes": [home], **given, **known})

    def violations(self, within_s: float = 15.0, **known: Any) -> list[Violation]:
        """What is wrong, and stays wrong when what is on its way has arrived."""
        deadline = time.monotonic() + within_s
        while (found := self.history(**known).violations()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def check_history(self, **known: Any) -> None:
        self.tidy()
        found = self.violations(**known)
        assert not found, "\n".join(map(str, found)) + "\n" + self.story()

    def tidy(self) -> None:
        """What housekeeping does every hour."""
        self.manage("tidy")

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.stack.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def story(self, size: int = 2500) -> str:
        logs = sorted(self.stack.home.path.glob("log/*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-size:]}" for log in logs)


def _given(connection: psycopg.Connection) -> int:
    """How many connections PostgreSQL gives to ordinary users. Older ones keep none for others than administrators."""
    names = ("max_connections", "superuser_reserved_connections", "reserved_connections")
    [found] = connection.execute("SELECT current_setting(%s), current_setting(%s), current_setting(%s, true)", names)
    most, *kept = (int(value or 0) for value in found)
    return most - sum(kept)
