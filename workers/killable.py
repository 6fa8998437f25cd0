"""A warm pool of killable children for hostile interactive input: templates, previews, SQL.

Python cannot interrupt a thread, so a loop that somebody else wrote runs in a process that can be killed. A child
serves one call at a time; it limits itself (processor time, memory, no files written) and the parent limits it once
more (wall clock, size of the answer). A child that breaks a limit dies, is replaced, and nobody else notices.

    pool = Pool("workers.templates:answer", cpu_s=0.1)
    pool.call({"do": "render", "messages": [...], "values": {...}})

What passes is JSON, four bytes of length in front; never a pickle.
"""

import atexit
import contextlib
import importlib
import json
import os
import queue
import resource
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from workers import errors
from workers.words import marked as _

ROOT = Path(__file__).resolve().parent.parent
START_S = 30.0
"""How long a child may take to import what it serves; only a machine in trouble needs this long."""
KINDS: dict[str, type[errors.AifsError]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidInput,
        errors.NotAllowed,
        errors.NotFound,
        errors.Conflict,
        errors.LimitReached,
        errors.Unavailable,
    )
}


class Pool:
    """Children that all serve one function.

    target: `module:function`, which takes and gives JSON. size: children kept. cpu_s: processor seconds of one call.
    wall_s: seconds a call may last, waiting for a slow machine included. memory_mib: address space of a child.
    answer_bytes: largest answer. Children start on the first call; the pool may be used from many threads.
    """

    def __init__(
        self,
        target: str,
        *,
        size: int = 2,
        cpu_s: float = 0.1,
        wall_s: float = 10.0,
        memory_mib: int = 512,
        answer_bytes: int = 2 << 20,
    ) -> None:
        self.target = target
        self.size = size
        self.cpu_s = cpu_s
        self.wall_s = wall_s
        self.memory_mib = memory_mib
        self.answer_bytes = answer_bytes
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._owner = 0

    def call(self, payload: Any) -> Any:
        """Run the function on `payload` in a child and return its answer.

        Raises the AifsError the function raised; LimitReached when it took too long, grew too big or answered too
        much; Unavailable when every child is busy for too long.
        """
        child = self._take()
        try:
            answer = child.ask(payload, self.wall_s, self.answer_bytes)
        except _Broken as broken:
            child.kill()
            self._replace()
            raise errors.LimitReached(broken.message, code="cut_off", limit_s=self.cpu_s) from None
        except BaseException:
            child.kill()
            self._idle.put(None)
            raise
        self._idle.put(child)
        return _unwrap(answer)

    def _replace(self) -> None:
        """Whoever broke a limit waits for the next child to start, so that nobody else does."""
        child = None
        try:
            child = _Child(self.target, self.cpu_s, self.memory_mib)
        except errors.Unavailable:
            return  # the next call tries again
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """Kill the idle children. The pool starts new ones when it is used again."""
        with self._lock:
            self._owner = 0
            while True:
                try:
                    child = self._idle.get_nowait()
                except queue.Empty:
                    return
                if child is not None:
                    child.kill()

    def _take(self) -> "_Child":
        with self._lock:
            if self._owner != os.getpid():  # first use, or a fork that must not share its parent's pipes
                self._owner = os.getpid()
                self._idle = queue.LifoQueue()
                for _number in range(self.size):
                    self._idle.put(None)
                atexit.register(self.close)
        try:
            child = self._idle.get(timeout=self.wall_s)
        except queue.Empty:
            raise errors.Unavailable(_("Too many previews run at this moment. Try again in a few seconds.")) from None
        if child is not None and child.alive():
            return child
        try:
            return _Child(self.target, self.cpu_s, self.memory_mib)
        except BaseException:
            self._idle.put(None)
            raise


class _Broken(Exception):
    """The child broke a limit and must die."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Child:
    def __init__(self, target: str, cpu_s: float, memory_mib: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers.killable", target, str(cpu_s), str(memory_mib)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self.stdin: BinaryIO = self.process.stdin  # type: ignore[assignment]
        self.stdout: BinaryIO = self.process.stdout  # type: ignore[assignment]
        try:
            self._read(time.monotonic() + START_S, 1 << 20)
        except _Broken:
            self.kill()
            raise errors.Unavailable(_("A helper process did not start. The log says why.")) from None

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def ask(self, payload: Any, wall_s: float, answer_bytes: int) -> Any:
        deadline = time.monotonic() + wall_s
        try:
            _write(self.stdin, payload)
        except OSError:
            raise _Broken(_("It took too long or too much memory and was stopped.")) from None
        return self._read(deadline, answer_bytes)

    def _read(self, deadline: float, limit: int) -> Any:
        length = int.from_bytes(self._take(4, deadline))
        if length > limit:
            raise _Broken(_("The result is too large and was cut off."))
        return json.loads(self._take(length, deadline))

    def _take(self, count: int, deadline: float) -> bytes:
        descriptor = self.stdout.fileno()
        waiting = select.poll()  # select() knows no descriptor above 1023, and a server with many clients has those
        waiting.register(descriptor, select.POLLIN)
        parts = bytearray()
        while len(parts) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not waiting.poll(left * 1000):
                raise _Broken(_("It took too long and was stopped."))
            part = os.read(descriptor, count - len(parts))
            if not part:
                raise _Broken(_("It took too long or too much memory and was stopped."))
            parts += part
        return bytes(parts)


def _unwrap(answer: dict[str, Any]) -> Any:
    if "value" in answer:
        return answer["value"]
    if "error" in answer:
        event = answer["error"]
        raise KINDS[answer["kind"]](event["message"], hint=event["hint"], code=event["code"], **event["data"])
    raise RuntimeError(f"a killable child failed:\n{answer['bug']}")


def _write(pipe: BinaryIO, value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False).encode(errors="replace")  # a template can spell half a surrogate pair
    pipe.write(len(body).to_bytes(4) + body)
    pipe.flush()


# --- the child


def serve(target: str, cpu_s: float, memory_mib: int) -> None:
    """Answer calls on standard input until it closes. Runs in the child."""
    module, _colon, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print goes to the log, not between two answers
    limits = {resource.RLIMIT_AS: memory_mib << 20, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _write(stdout, {"value": "ready"})
    while head := stdin.read(4):
        payload = json.loads(stdin.read(int.from_bytes(head)))
        # The kernel kills us when the call burns too much, even inside one C call, and after a while even when the
        # parent is gone.
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        signal.setitimer(signal.ITIMER_REAL, max(60.0, cpu_s * 20))
        answer = _answer(function, payload)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(stdout, answer)


def _answer(function: Any, payload: Any) -> dict[str, Any]:
    try:
        return {"value": function(payload)}
    except errors.AifsError as error:
        return {"kind": type(error).__name__, "error": error.as_event()}
    except (MemoryError, RecursionError):
        limit = errors.LimitReached(_("It took too much memory and was stopped."), code="cut_off")
        return {"kind": "LimitReached", "error": limit.as_event()}
    except Exception:
        return {"bug": traceback.format_exc()}


if __name__ == "__main__":
    serve(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
