"""`python -m tests.nemesis --minutes 20 --seed 1`: faults at random against a stack of its own, then the judge.

The stack lives in a temporary folder. Every fault is a line of `nemesis/SEED.jsonl` in AIFS_HOME, with its time, what
it did and how long it took. At the end everything is healed, work comes to rest, and the history checker says whether
anything was lost, doubled or left behind: status 0 when not, else 1.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from aifs.embedded.home import Home
from tests.faults import run_processes
from tests.faults.clock import HOUR_S, Clock
from tests.faults.history import Violation
from tests.faults.plant import DEPLOYMENT, Plant
from tests.nemesis.faults import DISKS, FAULTS, NOTHING_DONE, append, wake_all
from tests.nemesis.schedule import schedule
from tests.nemesis.workload import MEMORY_MIB, Workload

DISK_MIB = 768
HEAL_S, REST_S = 120.0, 300.0
ENDS_OF_KILLED_RUNS = {"crashed", "node_lost", "supervisor_lost", "stale_lease", "instance_died", "service_ended",
                       "unavailable"}  # fmt: skip
"""How a job may end that was killed as often as it may be tried. Any other failure is somebody's bug."""
HARMLESS = {0, 502, 503, 507}
"""How a request may fail while its server is killed, away or full; 500 never."""


def clock_of(folder: Path, seconds: float) -> Clock | None:
    """None where there is no compiler; the table says so."""
    try:
        return Clock(folder, jump_s=max(HOUR_S, 2 * round(seconds)))
    except RuntimeError:
        return None


class Nemesis:
    def __init__(self, seed: int, minutes: float, folder: Path) -> None:
        self.seed, self.seconds, self.folder = seed, minutes * 60, folder
        self.log = Home().path / "nemesis" / f"{seed}.jsonl"
        self.plant = Plant(folder, clock_of(folder, self.seconds), AIFS_STOP_GRACE_S="6", AIFS_CPU_OVERCOMMIT="3")
        self.applied: Counter[str] = Counter()
        self.planned: set[str] = set()
        self.skipped: dict[str, str] = {}
        self.extra: list[Violation] = []
        self.unloadable: set[str] = set()

    def run(self) -> int:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        with contextlib.ExitStack() as disks:
            for name in DISKS:
                disks.enter_context(small_disk(self.plant.stack.home.path / name))
            self.plant.up()
            try:
                self.plant.deploy(self.plant.import_model())
                work = Workload(self.plant, self.seed, "tiny", self.plant.import_rows())
                with work.running():
                    self.harm()
                found = self.judge()
            finally:
                self.plant.down()
            if left := run_processes.of_homes([self.plant.stack.home.path]):
                found.append(Violation("processes_wanted", "down", f"left running: {left}"))
        self.report(found)
        return 1 if found else 0

    def harm(self) -> None:
        """Apply the schedule. A fault that takes long delays the next ones; their order stays."""
        began = time.monotonic()
        for event in schedule(self.seed, self.seconds):
            time.sleep(max(0.0, began + event.at_s - time.monotonic()))
            started = time.monotonic()
            try:
                did: dict[str, Any] = FAULTS[event.fault](self.plant, event.choice)
            except Exception as error:  # what it needs may be away because of the fault before
                did = {"failed": repr(error)[:300]}
            self.planned.add(event.fault)
            self.applied[event.fault] += not did.keys() & NOTHING_DONE
            if "skipped" in did:
                self.skipped[event.fault] = did["skipped"]
            if "wrong" in did:
                self.extra.append(Violation("left_behind", event.fault, did["wrong"]))
            if "version" in did:
                self.unloadable.add(did["version"])
            append(self.log, due_s=event.at_s, at_s=round(started - began, 2), fault=event.fault,
                   took_s=round(time.monotonic() - started, 2), **did)  # fmt: skip
            print(f"{started - began:7.1f} s  {event.fault:<24} {str(did)[:110]}", flush=True)
        time.sleep(max(0.0, began + self.seconds - time.monotonic()))

    def judge(self) -> list[Violation]:
        """Heal, let everything come to rest, and look."""
        wake_all(self.plant)
        if not self.healed():
            self.extra.append(Violation("healed", "stack", f"not ready after {HEAL_S:.0f} s: {self.plant.stack.state}"))
        if not self.plant.rest(REST_S):
            waiting = self.plant.rows("SELECT kind, state, reason FROM gpucloud_job WHERE NOT service"
                                      " AND state NOT IN ('succeeded', 'failed', 'cancelled')")  # fmt: skip
            self.extra.append(Violation("rest", "jobs", f"still there after {REST_S:.0f} s: {waiting}"))
        try:
            self.plant.client.deployments.wait(DEPLOYMENT, timeout_s=90)
        except Exception as error:
            self.extra.append(Violation("healed", DEPLOYMENT, str(error)))
        self.plant.tidy()
        return [*self.extra, *self.never_applied(), *self.wrong_failures(), *self.plant.violations(20)]

    def healed(self) -> bool:
        until = time.monotonic() + HEAL_S
        while time.monotonic() < until:
            state = self.plant.stack.state
            if state["phase"] == "ready" and all(part["ready"] for part in state["parts"].values()):
                return True
            time.sleep(0.5)
        return False

    def never_applied(self) -> list[Violation]:
        """A green run must not mean that nothing was done. What this machine does not allow is told in the table."""
        never = [name for name in sorted(self.planned) if not self.applied[name] and name not in self.skipped]
        return [Violation("applied", name, "was planned and never found anything to harm") for name in never]

    def wrong_failures(self) -> list[Violation]:
        rows = self.plant.rows("SELECT id, kind, reason, params FROM gpucloud_job WHERE state = 'failed'")
        jobs = [
            Violation("failed_for_a_reason", f"{row['kind']} {row['id']}", str(row["reason"])[:300])
            for row in rows
            if row["reason"].get("code") not in ENDS_OF_KILLED_RUNS | greedy(row["params"])
            and not (row["kind"] == "lms.serve" and row["params"]["model"] in self.unloadable)
        ]
        answers = [
            Violation("no_bug_shown", failure.what, f"{failure.status} {failure.words}")
            for failure in self.plant.records.failures
            if failure.status not in HARMLESS
        ]
        return jobs + answers

    def report(self, found: list[Violation]) -> None:
        records = self.plant.records
        print(f"\n{'fault':<26}{'times':>6}")
        for name in sorted(FAULTS):
            print(f"{name:<26}{self.applied[name]:>6}  {self.skipped.get(name, '')}".rstrip())
        failed = Counter(failure.status for failure in records.failures)
        print(f"\nseed {self.seed}, {self.seconds / 60:g} minutes, {sum(self.applied.values())} faults")
        print(f"requests {records.requests}, of which failed {dict(failed)} (0: no answer, or a stream was cut)")
        print(f"jobs accepted {len(records.accepted)}, answers written down {len(records.answers)}")
        print(f"the faults and their times: {self.log}")
        for violation in found:
            print(f"VIOLATION {violation}")
            append(self.log, violation=str(violation))
        print("NOTHING LOST, DOUBLED OR LEFT BEHIND" if not found else f"{len(found)} VIOLATIONS")


def greedy(params: dict[str, Any]) -> set[str]:
    """How a job that asks for more memory than it was given ends besides."""
    return {"out_of_memory"} if params.get("memory_mib", 0) > MEMORY_MIB else set()


class small_disk:
    """A disk of its own for a folder, where mounting one is allowed, so that it can be filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mounted = False

    def __enter__(self) -> None:
        self.path.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(self.path)]
        self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def __exit__(self, *exception: object) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.path)], check=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.nemesis", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the stack's folder for a look at it")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack is stopped
    folder = Path(tempfile.mkdtemp(prefix=f"aifs-nemesis-{arguments.seed}-"))
    status = 1
    try:
        status = Nemesis(arguments.seed, arguments.minutes, folder).run()
    except Exception:
        traceback.print_exc()
    finally:
        if status and not arguments.keep:
            print(f"the stack's folder stays for a look: {folder}")
        elif not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
