"""`python -m workers` in a child that finds torch and the trainers imported already: it is forked from a server that
imported them once. For tests of what a run does; how one starts is tested elsewhere.
"""

import functools
import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

from workers import __main__ as workers

IMPORTED = [
    "workers.lmt.loop.session",
    "workers.lms.scoring.harness",
    "transformers.models.llama.modeling_llama",
    "peft",
]
LOG = "output.log"


@functools.cache
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def run(spec: Path, timeout_s: float = 300) -> int:
    """The exit status of the run, in place; what it wrote lies in `output.log` beside the spec."""
    child = server().Process(target=_run, args=(str(spec),))
    child.start()
    child.join(timeout_s)
    if child.exitcode is None:
        child.kill()
        child.join()
    assert child.exitcode is not None
    return child.exitcode


def _run(spec: str) -> None:
    log = os.open(Path(spec).with_name(LOG), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.exit(workers.main([spec, "--in-place"]))
