"""A server that says it is ready has settled down before."""

import json
import subprocess
import sys
from pathlib import Path

from apps.core import readiness
from tests.servers import ROOT

STARTED = """
import asyncio, gc, json, uvicorn
from apps.core import listening

announce = listening.announce_ready

def ready():
    print(json.dumps({"kept": gc.get_freeze_count(), "thresholds": gc.get_threshold()}))
    announce()

listening.announce_ready = ready

async def answer(scope, receive, send): ...

async def look():
    server = listening.Server(uvicorn.Config(answer, port=0, lifespan="off", log_level="error"))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    await server.shutdown()

asyncio.run(look())
"""


def test_what_is_loaded_by_then_is_left_out_of_collections(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    done = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, env={"AIFS_READY_FILE": str(ready)},
                          capture_output=True, text=True, check=True)  # fmt: skip
    said = json.loads(done.stdout)
    assert ready.exists()
    assert said["kept"] > 10_000
    assert said["thresholds"] == list(readiness.THRESHOLDS)
