"""`python -m workers spec.json`: run one job without Django.

The run directory is the folder of the spec. When that folder already holds a finished run, the work is done again in
`rerun-N` beside it, so that the recorded run stays as it was.
"""

import argparse
import contextlib
import faulthandler
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from workers import disk, environment, errors
from workers.io import RunIO
from workers.kinds import find_kind
from workers.spec import Spec
from workers.words import marked as _

OUT_OF_MEMORY_EXIT = 137
STOPPED_EXIT = os.EX_TEMPFAIL
"""The run was asked to stop, has written its checkpoint and can go on from there."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers", description="Run one job from its spec, without Django.")
    parser.add_argument("spec", type=Path)
    parser.add_argument("--in-place", action="store_true", help="append to the events of this run directory")
    arguments = parser.parse_args(argv)
    spec = Spec.read(arguments.spec)
    directory = arguments.spec.resolve().parent
    if not arguments.in_place and (directory / "events.jsonl").exists():
        directory = fresh_copy(directory)
        print(f"running again in {directory}", file=sys.stderr)
    os.chdir(directory)
    return run(RunIO(directory, spec))


def fresh_copy(directory: Path) -> Path:
    """A new run directory beside the recorded one, with the same spec, inputs, and checkpoint to go on from."""
    number = 1
    while (directory / f"rerun-{number}").exists():
        number += 1
    copy = directory / f"rerun-{number}"
    copy.mkdir()
    for name in ("spec.json", "inputs", "resume"):
        if (directory / name).exists():
            (copy / name).symlink_to(directory / name)
    return copy


def run(io: RunIO) -> int:
    """Run the job and end with a `result` or an `error` event. Returns the exit status.

    A run that was asked to stop ends with neither and exits 75, one that found the disk full exits 73: its work goes on
    in a later attempt.
    """
    faulthandler.enable()  # a crash in native code leaves its stack in output.log
    # A library that asks for the whole machine would starve its neighbours; the spec says what was granted.
    os.environ.setdefault("OMP_NUM_THREADS", str(io.spec.cpus))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        return _run(io)
    except OSError as error:  # not even the last event could be written
        if not disk.is_full(error):
            raise
        return disk.FULL_EXIT


def _run(io: RunIO) -> int:
    try:
        kind = find_kind(io.spec.kind)
        params = kind.params.model_validate(io.spec.params)
        result: dict[str, Any] = kind.run(params, io) or {}
    except errors.AifsError as error:
        if disk.is_full(error):
            return disk.FULL_EXIT
        io.emit("error", **error.as_event())
        return 1
    except MemoryError:
        io.emit("error", **errors.OutOfMemory().as_event())
        return OUT_OF_MEMORY_EXIT
    except (
        Exception
    ) as error:  # the job runner is one of the two catchers: what comes here is a bug and is shown as one
        if disk.is_full(error):
            return disk.FULL_EXIT
        traceback.print_exc()
        with contextlib.suppress(OSError):
            io.emit("error", **_as_event(error))
        return OUT_OF_MEMORY_EXIT if _is_memory(error) else 1
    if io.should_stop and not kind.service:
        return STOPPED_EXIT
    io.emit("environment", **environment.describe(io.spec))
    io.emit("result", values=result)
    return 0


def _is_memory(error: Exception) -> bool:
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "bad alloc" in text


def _as_event(error: Exception) -> dict[str, Any]:
    if _is_memory(error):
        return errors.OutOfMemory().as_event()
    return {
        "code": "internal_error",
        "message": _("The run stopped because of an unexpected error: %(error)s"),
        "hint": _("The log shows where it happened."),
        "data": {"error": f"{type(error).__name__}: {error}"[:2000]},
    }


if __name__ == "__main__":
    sys.exit(main())
