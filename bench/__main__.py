"""`python -m bench [NAME …]`: run all measurements or the named ones, one after the other."""

import argparse
import importlib
import json
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bench
from aifs.embedded.home import Home
from bench.measures import machine

NOT_MEASUREMENTS = {"__main__", "database", "measures", "plain_trl", "stacks"}


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name not in NOT_MEASUREMENTS)


def by_name_only(name: str) -> bool:
    """Measurements that take too long to be run beside all others say so."""
    return bool(getattr(importlib.import_module(f"bench.{name}"), "BY_NAME_ONLY", False))


def measure(name: str) -> dict[str, Any]:
    """One measurement in a folder of its own. Its file has `run(folder)`, which returns figures and `passed`."""
    module = importlib.import_module(f"bench.{name}")
    began, before = time.monotonic(), machine()
    with tempfile.TemporaryDirectory(prefix=f"aifs-bench-{name}-") as folder:
        figures = module.run(Path(folder))
    seconds = round(time.monotonic() - began, 1)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    what = " ".join((module.__doc__ or "").split())
    return {"name": name, "what": what, "at": at, "machine": before, "seconds": seconds, **figures}


def apart(name: str) -> bool:
    """The same in a process of its own, since Django reads its settings once a process. True when it met its target."""
    child = subprocess.Popen([sys.executable, "-m", "bench", name])
    try:
        return child.wait() == 0
    finally:
        child.terminate()  # so that a stack which runs there is stopped first
        child.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure AIFS on this machine.")
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(names())}")
    chosen = parser.parse_args().names or [name for name in names() if not by_name_only(name)]
    if unknown := sorted(set(chosen) - set(names())):
        parser.error(f"no measurement is called {', '.join(unknown)}; known are {', '.join(names())}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a stack which runs here is stopped first
    folder = Home().path / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    if len(chosen) > 1:
        missed = [name for name in chosen if not apart(name)]
    else:
        result = measure(chosen[0])
        (folder / f"{chosen[0]}.json").write_text(json.dumps(result, indent=2) + "\n")
        print(json.dumps(result, indent=2), flush=True)
        missed = [] if result["passed"] else chosen
    print(f"Results are in {folder}. " + (f"Missed its target: {', '.join(missed)}" if missed else "All targets met."))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
