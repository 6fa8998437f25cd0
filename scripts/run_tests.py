"""`make test`: every test in three runs of pytest, and one table at the end.

Browser tests need a process of their own (Playwright's loop stays), and fault tests run one at a time; both wait more
than they compute. So unit and integration tests run beside them, with less right to the processor, on what is left.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(os.environ.get("AIFS_HOME") or ROOT / "var") / "test"
NOTHING_COLLECTED = 5
PATIENT = "fault or timed"
"""Marks of tests that measure time, or wait for something that must happen in time."""
REST = ["tests", "--ignore=tests/browser"]
IN_TURN = {"browser": ["tests/browser"], "faults": [*REST, "-m", PATIENT]}
SLOW = {"real models": [*REST, "-m", "slow"]}
"""What a toy cannot show; `make demo` goes the same ways with the same model."""
BESIDE = {
    "unit and integration": [
        *REST, "-m", f"not ({PATIENT} or slow)", "-n", str(max(2, os.cpu_count() or 1)),
        "--timeout=300",
    ]
}  # fmt: skip
NICENESS = 10
"""A tenth of the processor's time where both want all of it."""


@dataclass
class Outcome:
    """What one run of pytest said. `skips` counts the skipped tests by their reason; `cpu_seconds` are those of its
    processes, without servers that outlived it."""

    name: str
    status: int
    seconds: float
    cpu_seconds: float
    tests: int = 0
    failed: int = 0
    skips: dict[str, int] = field(default_factory=dict)


class Run:
    """One run of pytest: at work from the start, until `end`."""

    def __init__(self, name: str, arguments: list[str], *, beside: bool = False) -> None:
        mark = name.replace(" ", "-")
        self.name, self.report, self.log = name, RESULTS / f"{mark}.xml", RESULTS / f"{mark}.log" if beside else None
        self.report.unlink(missing_ok=True)
        self.title = f"\n== {name}: pytest {' '.join(arguments)}"
        print(
            self.title + (f"\n   beside the others; its words follow, or see {self.log}" if beside else ""), flush=True
        )
        self.began = time.monotonic()
        nice = ["nice", "-n", str(NICENESS)] if beside else []
        command = [*nice, sys.executable, "-m", "pytest", *arguments, f"--junitxml={self.report}"]
        out = self.log.open("w") if self.log else None
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def end(self) -> Outcome:
        _pid, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        seconds, cpu_seconds = time.monotonic() - self.began, used.ru_utime + used.ru_stime
        if self.log:
            print(self.title, self.log.read_text(errors="replace"), sep="\n", flush=True)
        outcome = Outcome(self.name, self.process.returncode, round(seconds, 1), round(cpu_seconds, 1))
        if self.report.exists():
            count(self.report, outcome)
        return outcome


def count(report: Path, outcome: Outcome) -> None:
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        skipped = case.find("skipped")
        outcome.tests += 1
        if skipped is not None:
            reason = skipped.get("message", "").splitlines()[0]
            outcome.skips[reason] = outcome.skips.get(reason, 0) + 1
        outcome.failed += any(case.find(tag) is not None for tag in ("failure", "error"))


def run_all(chosen: list[str], *, slow: bool) -> list[Outcome]:
    beside = [Run(name, [*options, *chosen], beside=True) for name, options in BESIDE.items()]
    try:
        phases = IN_TURN | (SLOW if slow else {})
        in_turn = [Run(name, [*options, *chosen]).end() for name, options in phases.items()]
        return [run.end() for run in beside] + in_turn
    finally:
        for run in beside:
            if run.process.returncode is None:
                run.process.terminate()


def summary(outcomes: list[Outcome]) -> None:
    print(f"\n{'run':<24}{'tests':>8}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}{'cpu s':>8}")
    for outcome in outcomes:
        skipped = sum(outcome.skips.values())
        passed = outcome.tests - outcome.failed - skipped
        counts = f"{outcome.tests:>8}{passed:>8}{outcome.failed:>8}{skipped:>9}"
        print(f"{outcome.name:<24}{counts}{outcome.seconds:>9.0f}{outcome.cpu_seconds:>8.0f}")
    for outcome in outcomes:
        for reason, number in sorted(outcome.skips.items()):
            print(f"skipped {number} in {outcome.name}: {reason}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests.")
    parser.add_argument("paths", nargs="*")
    parser.add_argument("-k", dest="expression")
    parser.add_argument("--slow", action="store_true", help="those of real models too")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    chosen = ["-k", arguments.expression] if arguments.expression else []
    began = time.monotonic()
    if arguments.paths:
        outcomes = [Run("chosen tests", [*arguments.paths, *chosen]).end()]
    else:
        outcomes = run_all(chosen, slow=arguments.slow)
    summary(outcomes)
    if not (arguments.paths or arguments.slow):
        print("left out: the tests of real models; `make test SLOW=1` runs them too")
    (RESULTS / "summary.json").write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2) + "\n")
    print(f"In all {time.monotonic() - began:.0f} s.")
    bad = [outcome for outcome in outcomes if outcome.status not in {0, NOTHING_COLLECTED}]
    if bad:
        print(f"FAILED: {', '.join(outcome.name for outcome in bad)}")
        return 1
    if not any(outcome.tests for outcome in outcomes):
        print("FAILED: no test matches")
        return 1
    print("PASSED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
