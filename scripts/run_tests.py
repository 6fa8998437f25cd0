"""`make test`: every test in three runs of pytest, and one table at the end.

Browser tests need a process of their own (Playwright's loop stays), fault tests run one at a time.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(os.environ.get("AIFS_HOME") or ROOT / "var") / "test"
NOTHING_COLLECTED = 5
PHASES = {
    "unit and integration": ["tests", "--ignore=tests/browser", "-m", "not fault and not browser", "-n", "2"],
    "browser": ["tests/browser"],
    "faults": ["tests", "--ignore=tests/browser", "-m", "fault"],
}


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


def run(name: str, arguments: list[str]) -> Outcome:
    report = RESULTS / f"{name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    began, used = time.monotonic(), cpu_seconds()
    print(f"\n== {name}: pytest {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}"]
    status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    outcome = Outcome(name, status, round(time.monotonic() - began, 1), round(cpu_seconds() - used, 1))
    if report.exists():
        count(report, outcome)
    return outcome


def cpu_seconds() -> float:
    """Of all children that have ended so far, and of theirs."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def count(report: Path, outcome: Outcome) -> None:
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        skipped = case.find("skipped")
        outcome.tests += 1
        if skipped is not None:
            reason = skipped.get("message", "").splitlines()[0]
            outcome.skips[reason] = outcome.skips.get(reason, 0) + 1
        outcome.failed += any(case.find(tag) is not None for tag in ("failure", "error"))


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
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    phases = {"chosen tests": arguments.paths} if arguments.paths else PHASES
    chosen = ["-k", arguments.expression] if arguments.expression else []
    outcomes = [run(name, [*options, *chosen]) for name, options in phases.items()]
    summary(outcomes)
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
