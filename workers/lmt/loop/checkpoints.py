"""Checkpoints that are whole or not there at all: written aside, flushed to the disk, then renamed into place."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from workers.io import RunIO

KEPT = 3
"""Newest checkpoints that stay in the run directory; those that count are in storage by then."""
STATE = "run.json"


def publish(io: RunIO, written: Path, step: int, state: dict[str, Any], values: dict[str, float]) -> Path:
    """Move a finished folder to `checkpoints/<step>` and announce it. state: what the run itself must remember."""
    for pickle in written.glob("training_args.bin"):
        pickle.unlink()  # the arguments stand in the spec
    (written / STATE).write_text(json.dumps(state))
    flush(written)
    final = io.dir / "checkpoints" / str(step)
    final.parent.mkdir(exist_ok=True)
    if final.exists():  # written by an earlier attempt in this directory
        shutil.rmtree(final)
    written.rename(final)
    _sync(final.parent)
    io.checkpoint(step, final, values)
    prune(final.parent)
    return final


def read_state(checkpoint: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((checkpoint / STATE).read_text())
    return state


def flush(folder: Path) -> None:
    """Force everything in the folder to the disk, files first."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _sync(path)
    _sync(folder)


def prune(folder: Path) -> None:
    steps = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    for path in steps[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
