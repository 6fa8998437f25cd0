"""`gpucloud.check`: does this node run work, keep checkpoints and recover as it should?"""

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Literal

from workers.io import RunIO
from workers.kinds import Resources, register
from workers.params import Params as BaseParams
from workers.params import param
from workers.words import marked as _

DRILLS = _("Fault drill")


class Params(BaseParams):
    steps: int = param(20, label=_("Steps"), help=_("How many steps the check runs."), simple=True, ge=0, le=1_000_000)
    seconds_per_step: float = param(
        0.0, label=_("Time per step"), unit="s", help=_("How long each step sleeps."), simple=True, ge=0, le=60
    )
    checkpoint_every: int = param(
        0, label=_("Checkpoint every"), unit=_("steps"), help=_("0 writes no checkpoints."), ge=0, le=1_000_000
    )
    memory_mib: int = param(
        0, label=_("Memory to fill"), unit="MiB", help=_("Checks the memory limit of the run."), ge=0, le=4_000_000
    )
    report: bool = param(True, label=_("Write a report"), help=_("Keeps what was measured as an artefact."))
    fault: Literal["none", "crash", "crash_in_checkpoint", "error", "hang"] = param(
        "none", label=_("Fault"), help=_("Rehearses a fault, so that you can watch the recovery."), group=DRILLS
    )
    fault_at_step: int = param(1, label=_("Fault at step"), help=_("The step that fails."), group=DRILLS, ge=1)
    fault_once: bool = param(
        True, label=_("Fail once"), help=_("Only the first attempt fails; else every attempt does."), group=DRILLS
    )


@register("gpucloud.check", label=_("Check a node"), resources=Resources(cpus=1))
def run(params: Params, io: RunIO) -> dict[str, Any]:
    """Counts steps, with a checksum over all of them: a run that resumed rightly ends with the same checksum.

    Used by operators after a node joined, by the fault tests, and as the empty job of the benchmarks.
    """
    io.listen_for_stop()
    step, digest = restore(io.resume_from)
    started = time.monotonic()
    io.progress(step, params.steps, _("Checking"), unit=_("steps"))
    ballast = fill(params.memory_mib)
    while step < params.steps and not io.should_stop:
        step += 1
        digest = hashlib.sha256(f"{digest}:{io.spec.seed}:{step}".encode()).hexdigest()
        time.sleep(params.seconds_per_step)
        fail(params, io, step)
        io.metric(step, {"check": int(digest[:6], 16) / 0xFFFFFF})
        io.progress(step, params.steps, _("Checking"), unit=_("steps"))
        if params.checkpoint_every and step % params.checkpoint_every == 0:
            save(params, io, step, digest)
    if io.should_stop and step < params.steps:
        save(params, io, step, digest)
    elif params.report:
        report(io, {"steps": step, "digest": digest, "seconds": time.monotonic() - started, "filled_mib": len(ballast)})
    return {"steps": step, "digest": digest}


def restore(checkpoint: Path | None) -> tuple[int, str]:
    if checkpoint is None:
        return 0, ""
    state = json.loads((checkpoint / "state.json").read_text())
    return int(state["step"]), str(state["digest"])


def save(params: Params, io: RunIO, step: int, digest: str) -> None:
    """Written under another name, synced, renamed: a checkpoint is there as a whole or not at all."""
    final = io.dir / "checkpoints" / str(step)
    temporary = final.with_name(f"{step}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with (temporary / "state.json").open("w") as file:
        json.dump({"step": step, "digest": digest}, file)
        file.flush()
        os.fsync(file.fileno())
    if params.fault == "crash_in_checkpoint" and due(params, io, step):
        os.kill(os.getpid(), signal.SIGKILL)
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)
    io.checkpoint(step, final)


def fill(memory_mib: int) -> list[bytearray]:
    """Memory that is really used: every page is written."""
    return [bytearray(os.urandom(4096) * 256) for _mib in range(memory_mib)]


def due(params: Params, io: RunIO, step: int) -> bool:
    return step >= params.fault_at_step and (io.spec.attempt == 1 or not params.fault_once)


def fail(params: Params, io: RunIO, step: int) -> None:
    if params.fault in ("none", "crash_in_checkpoint") or not due(params, io, step):
        return
    io.log(_("Rehearsing a fault: %(fault)s"), fault=params.fault)
    if params.fault == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if params.fault == "error":
        raise RuntimeError("this error was asked for")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGSTOP)


def report(io: RunIO, values: dict[str, Any]) -> None:
    folder = io.output("report")
    (folder / "report.json").write_text(json.dumps(values, indent=1))
    io.artefact("report", "node_report", folder, **values)
