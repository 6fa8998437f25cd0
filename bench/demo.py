"""The main job on an installed tree: `make demo` from the stack's first start to the table, and where its time goes.

Target: at most 8 min.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bench.measures import command
from tests.servers import ROOT
from tests.stack.stacks import Stack

TARGET_S = 480.0
SHOWN = ("rows_in", "rows_kept", "loss_before", "loss_after", "benchmark", "served_tokens_per_s", "seconds")


def run(folder: Path) -> dict[str, Any]:
    stack = Stack(folder / "home")
    try:
        demo = command([sys.executable, "-m", "aifs.demo"], ROOT, stack.environment)
        report = json.loads((stack.home.path / "demo" / "report.json").read_text())
    finally:
        stack.down()
    return {
        "demo": demo,
        "report": {name: report[name] for name in SHOWN},
        "targets": {"wall_s": TARGET_S},
        "passed": demo["exit"] == 0 and demo["wall_s"] <= TARGET_S,
    }
