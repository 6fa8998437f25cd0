"""Real processes on private servers: scheduler, finisher and any number of agents, with short leases.

Everything that a test starts here ends with it, and a history checker judges what is left.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection

from apps.gpucloud.agent.processes import mark_of
from apps.gpucloud.models import Attempt, Job, Node
from apps.gpucloud.services import submit_job
from tests.factories import House, make_house
from tests.faults import run_processes
from tests.faults.history import History
from workers.supervise import is_alive

ROOT = Path(__file__).resolve().parents[2]
LEASE_S, HEARTBEAT_S, GRACE_S = 6.0, 0.5, 2.0
SETTLE_S = 10.0
MANAGE = [sys.executable, "manage.py"]
WORKER = ["worker", "-Q", "control", "-P", "solo"]
CONTROL = [sys.executable, "-m", "celery", "-A", "aifs.celery", *WORKER, "-l", "WARNING"]
IMPATIENT = [sys.executable, "-m", "celery", "-A", "tests.faults.impatient", *WORKER, "-l", "INFO"]
CORE = {"scheduler": [*MANAGE, "scheduler"], "control": CONTROL}


class Installation:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.house: House = make_house()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        database = connection.settings_dict["NAME"]
        self.environment = os.environ | {
            "AIFS_HOME": str(home),
            "DATABASE_URL": os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}",
            "STORAGE_URL": f"file://{home / 'storage'}",
            "AIFS_LEASE_S": str(LEASE_S),
            "AIFS_HEARTBEAT_S": str(HEARTBEAT_S),
            "AIFS_STOP_GRACE_S": str(GRACE_S),
            "AIFS_DISK_FLOOR": "0",  # the history checker reads run directories
            "SKIP_CHECKS": "1",
        }
        home.mkdir(parents=True, exist_ok=True)

    # --- processes

    def start(self, name: str, command: list[str], **environment: str) -> "subprocess.Popen[bytes]":
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment | environment, stdout=log, stderr=log, start_new_session=True
            )
        self.processes[name] = process
        return process

    def start_core(self) -> None:
        """Scheduler and finisher."""
        for name, command in CORE.items():
            self.start(name, command)

    def start_agent(self, name: str = "north", **environment: str) -> "subprocess.Popen[bytes]":
        """One node; nodes have run directories of their own, as on machines of their own."""
        return self.start(name, [*MANAGE, "agent"], AIFS_NODE_NAME=name, AIFS_HOME=str(self.home / name), **environment)

    def nodes(self, *names: str) -> None:
        """These nodes and no others take jobs: a missing agent is started and awaited, one too many is sent home."""
        for name in self.processes.keys() - {*CORE, *names}:
            self.kill(name, signal.SIGTERM)
        Node.objects.exclude(name__in=names).update(agent_id=None)  # whose agents were killed, and are no longer wanted
        for name in names:
            if name not in self.processes:
                self.start_agent(name)
        there = Node.objects.filter(name__in=names, state="ready", agent_id__isnull=False)
        self.until(lambda: there.count() == len(names), what=f"the nodes {names}")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(30)

    def end(self) -> None:
        """Stop all, in good order; what does not obey is killed, supervisors and their children too."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(GRACE_S + 8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for pid in self.run_processes():
            os.kill(pid, signal.SIGKILL)

    def run_processes(self) -> list[int]:
        """Every process of any run of this installation: supervisors, children, grandchildren."""
        return list(run_processes.of_homes(self.homes))

    # --- jobs

    def submit(self, part: str = "engineer", **params: Any) -> Job:
        options = {
            name: params.pop(name) for name in ("resources", "priority", "max_attempts", "name") if name in params
        }
        return submit_job(self.house.actor(part), self.house.project, "gpucloud.check", params, **options)

    def until(self, condition: Callable[[], Any], timeout_s: float = 40.0, what: str = "") -> Any:
        """Wait for a condition; on time-out show what every process said."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what or condition} did not happen in {timeout_s} s\n{self.story()}")

    def ended(self, job: Job, timeout_s: float = 60.0) -> Job:
        def look() -> bool:
            job.refresh_from_db()
            return job.state in Job.ENDED

        self.until(look, timeout_s, f"the end of {job}")
        return job

    def reached(self, job: Job, step: int, timeout_s: float = 40.0) -> Attempt:
        """Wait until the job's newest attempt has done so many steps, by the records."""

        def look() -> bool:
            job.refresh_from_db()
            return (job.progress.get("done") or 0) >= step

        self.until(look, timeout_s, f"step {step} of {job}")
        return job.attempts.latest("number")

    def child(self, attempt: Attempt) -> int:
        """Process id of the real child: the one with the run's mark that is no supervisor."""
        return self.until(lambda: next(iter(self._children(attempt)), None), what="a child")

    def _children(self, attempt: Attempt) -> list[int]:
        found = []
        for pid in self.run_processes():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if mark_of(pid) == attempt.run_dir and b"workers" in words:
                found.append(pid)
        return found

    def supervisor(self, attempt: Attempt) -> dict[str, Any]:
        import json

        who: dict[str, Any] = json.loads((Path(attempt.run_dir) / "supervisor.json").read_text())
        assert is_alive(who)
        return who

    def story(self) -> str:
        jobs = [f"{job} {job.state} {job.reason}" for job in Job.objects.all()]
        attempts = [
            f"{row.number} {row.state} {row.node.name} {row.reason}" for row in Attempt.objects.select_related("node")
        ]
        logs = [f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.home.glob("*.log"))]
        return "\n".join([*jobs, *attempts, *logs])

    # --- the judge

    @property
    def homes(self) -> list[Path]:
        """Of the web side, and of every node."""
        return [self.home, *sorted(path.parent for path in self.home.glob("*/runs"))]

    def history(self, **known: Any) -> History:
        return History(self.environment["DATABASE_URL"], self.home / "storage", self.homes, **known)

    def check_history(self, **known: Any) -> None:
        """The judge has nothing to say, at the latest once what is on its way has arrived. known: as of `History`."""
        deadline = time.monotonic() + SETTLE_S
        while (found := self.history(**known).violations()) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not found, "\n".join(map(str, found)) + "\n" + self.story()
