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


class Run:
    """A run that goes on, with the methods of a `Popen` that tests ask for."""

    def __init__(self, spec: Path) -> None:
        self._child = server().Process(target=_run, args=(str(spec),), daemon=True)
        self._child.start()

    @property
    def pid(self) -> int:
        assert self._child.pid is not None
        return self._child.pid

    def poll(self) -> int | None:
        return self._child.exitcode

    def wait(self, timeout: float = 300) -> int:
        self._child.join(timeout)
        if self._child.exitcode is None:
            self._child.kill()
            raise TimeoutError(f"the run did not end within {timeout} s")
        return self._child.exitcode


def start(spec: Path) -> Run:
    """In place; what it writes goes to `output.log` beside the spec."""
    return Run(spec)


def _run(spec: str) -> None:
    log = os.open(Path(spec).with_name(LOG), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.exit(workers.main([spec, "--in-place"]))
