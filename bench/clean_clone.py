"""A clean clone with nothing installed: `make demo`, then `make test`, as README.md says them.

Targets: the demo within 20 min, every install included; the tests within 25 min. Takes half an hour and downloads what
an install downloads, so it runs only when named.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from aifs.embedded.ports import free_port
from bench.measures import command
from tests.servers import ROOT
from tests.stack.stacks import PORTS

BY_NAME_ONLY = True
DEMO_S, TEST_S = 20 * 60.0, 25 * 60.0
OF_A_CHECKOUT = ("AIFS_", "VIRTUAL_ENV", "PYTHONPATH", "MAKE")


def run(folder: Path) -> dict[str, Any]:
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OF_A_CHECKOUT)}
    try:
        ports = {name: str(free_port()) for name in PORTS}
        demo = command(["make", "demo"], clone, environment | ports)
    finally:
        subprocess.run(["make", "down"], cwd=clone, env=environment, check=False)
    test = command(["make", "test"], clone, environment | {"CI": "true"})
    return {
        "demo": demo,
        "test": test | {"phases": json.loads((clone / "var" / "test" / "summary.json").read_text())},
        "targets": {"demo_wall_s": DEMO_S, "test_wall_s": TEST_S},
        "passed": not (demo["exit"] or test["exit"]) and demo["wall_s"] <= DEMO_S and test["wall_s"] <= TEST_S,
    }
