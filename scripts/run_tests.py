"""`make test`: every test but those of real models in four runs of pytest, and one table at the end.

Browser tests need processes of their own (Playwright's loop stays), each with a stack. Faults, which wait as much as
they work, run three files at a time; what must happen within a time has the machine for itself. The longest files come
first, so that none is left over at the end.
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
FAILURE_CHARS = 600
REST = ["tests", "--ignore=tests/browser"]
PHASES = {
    "unit and integration": [*REST, "-m", "not (fault or timed or slow)", "-n", "2"],
    "browser": ["tests/browser/test_pages.py", "tests/browser", "-n", "2", "--dist", "loadfile"],
    "faults": ["tests/stack", *REST, "-m", "fault and not (timed or slow)", "-n", "3", "--dist", "loadfile"],
    "timed": [*REST, "-m", "timed and not slow"],
}
SLOW = {"real models": [*REST, "-m", "slow"]}
"""What a toy cannot show; `make demo` goes the same ways with the same model."""


@dataclass
class Outcome:
    """What one run of pytest said. `failures` is what each failed test said, by its name, `skips` counts the skipped
    tests by their reason; `cpu_seconds` are those of its processes, without servers that outlived it."""

    name: str
    status: int
    seconds: float
    cpu_seconds: float
    tests: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    skips: dict[str, int] = field(default_factory=dict)


def run(name: str, arguments: list[str]) -> Outcome:
    report = RESULTS / f"{name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    print(f"\n== {name}: pytest {' '.join(arguments)}", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds, cpu_seconds = time.monotonic() - began, used.ru_utime + used.ru_stime
    outcome = Outcome(name, process.returncode, round(seconds, 1), round(cpu_seconds, 1))
    if report.exists():
        count(report, outcome)
    return outcome


def environment() -> dict[str, str]:
    """Bytecode is kept: some hundred processes would each compile the same files again."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def count(report: Path, outcome: Outcome) -> None:
    names = set()
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        skipped = case.find("skipped")
        names.add(name := f"{case.get('classname')}.{case.get('name')}")  # twice, if its teardown failed too
        if skipped is not None:
            reason = skipped.get("message", "").splitlines()[0]
            outcome.skips[reason] = outcome.skips.get(reason, 0) + 1
        for bad in (*case.iter("failure"), *case.iter("error")):
            outcome.failures[name] = f"{outcome.failures.get(name, '')} {bad.get('message', '')}".strip()
    outcome.tests = len(names)


def summary(outcomes: list[Outcome]) -> None:
    """The table, then what failed: whoever keeps only the end of a long output still learns which tests to run."""
    print(f"\n{'run':<24}{'tests':>8}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}{'cpu s':>8}")
    for outcome in outcomes:
        skipped = sum(outcome.skips.values())
        failed = len(outcome.failures)
        counts = f"{outcome.tests:>8}{outcome.tests - failed - skipped:>8}{failed:>8}{skipped:>9}"
        print(f"{outcome.name:<24}{counts}{outcome.seconds:>9.0f}{outcome.cpu_seconds:>8.0f}")
    for outcome in outcomes:
        for reason, number in sorted(outcome.skips.items()):
            print(f"skipped {number} in {outcome.name}: {reason}")
    for outcome in outcomes:
        for test, said in outcome.failures.items():
            print(f"failed in {outcome.name}: {test}: {' '.join(said.split())[:FAILURE_CHARS]}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests.")
    parser.add_argument("paths", nargs="*")
    parser.add_argument("-k", dest="expression")
    parser.add_argument("--slow", action="store_true", help="those of real models too")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    phases = {"chosen tests": arguments.paths} if arguments.paths else PHASES | (SLOW if arguments.slow else {})
    chosen = ["-k", arguments.expression] if arguments.expression else []
    outcomes = [run(name, [*options, *chosen]) for name, options in phases.items()]
    summary(outcomes)
    if not (arguments.paths or arguments.slow):
        print("left out: the tests of real models; `make test SLOW=1` runs them too")
    (RESULTS / "summary.json").write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2) + "\n")
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
