"""The only way a run speaks to the world: files in its run directory and lines appended to `events.jsonl`.

Nothing here blocks on a database or a network, so a run goes on when both are away.

Events, one JSON object a line, each with `seq` (from 1), `t` (Unix seconds) and `type`:

    progress    done, total, unit, message, data
    metric      step, values {name: float}
    log         level, message, data
    checkpoint  step, path, values
    sample      step, answers [{question, expected, answer}] (what a model in training says to the same few questions)
    artefact    name, artefact_type, path, meta
    ready       data (a service says where it listens)
    environment python, processor, threads, devices, libraries (before the result: what it ran on)
    result      values
    error       code, message, hint, data
"""

import errno
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workers.spec import Spec


class RunIO:
    """Handle of one running attempt.

    spec: what to do. dir: the run directory. resume_from: folder of a valid checkpoint, or None.
    """

    def __init__(self, directory: Path, spec: Spec) -> None:
        self.dir = directory.resolve()
        self.spec = spec
        self.resume_from = self.dir / spec.resume_from if spec.resume_from else None
        self._stop = False
        self._secrets: dict[str, str] = _read_secrets()
        self._file = open(self.dir / "events.jsonl", "ab", buffering=0)  # noqa: SIM115
        self._seq = _last_seq(self.dir / "events.jsonl")
        self._torn = False

    # --- what comes in

    def input(self, name: str) -> Path:
        """Folder that holds the files of an input."""
        return self.dir / self.spec.inputs[name].path

    def has_input(self, name: str) -> bool:
        return name in self.spec.inputs

    def meta(self, name: str) -> dict[str, Any]:
        """What the web knows about an input (for a dataset version: format, rows …)."""
        return self.spec.inputs[name].meta

    def secret(self, name: str) -> str:
        """A secret handed over by file descriptor; empty when there is none."""
        return self._secrets.get(name, "")

    @property
    def should_stop(self) -> bool:
        """True once the node has asked for a checkpoint and a clean end (SIGTERM)."""
        return self._stop

    def listen_for_stop(self) -> None:
        """From now on SIGTERM sets `should_stop` instead of ending the process. Call it from the main thread."""
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, number: int, frame: object) -> None:
        self._stop = True

    # --- what goes out

    def output(self, name: str) -> Path:
        """Folder for the files of an output; announce it with `artefact` when it is whole."""
        path = self.dir / "outputs" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def scratch(self, name: str) -> Path:
        """Folder for temporary files; gone when the run directory is cleaned."""
        path = self.dir / "scratch" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def progress(self, done: float, total: float, message: str = "", unit: str = "", **data: Any) -> None:
        self.emit("progress", done=done, total=total, unit=unit, message=message, data=data)

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """Points of one or more series at one step."""
        self.emit("metric", step=step, values={name: float(value) for name, value in values.items()})

    def log(self, message: str, level: str = "info", **data: Any) -> None:
        self.emit("log", level=level, message=message, data=data)

    def checkpoint(self, step: int, path: Path, values: Mapping[str, float] | None = None) -> None:
        """Announce a finished checkpoint folder (written under a temporary name and renamed by the caller)."""
        self.emit("checkpoint", step=step, path=str(path.resolve().relative_to(self.dir)), values=dict(values or {}))

    def sample(self, step: int, answers: Sequence[Mapping[str, str]]) -> None:
        """What the model answers at this step, each as {"question", "expected", "answer"}."""
        self.emit("sample", step=step, answers=[dict(answer) for answer in answers])

    def artefact(self, name: str, artefact_type: str, path: Path, **meta: Any) -> None:
        """Announce a finished output. `meta` is JSON that the app's `finish` stores in the typed row."""
        self.emit(
            "artefact",
            name=name,
            artefact_type=artefact_type,
            path=str(path.resolve().relative_to(self.dir)),
            meta=meta,
        )

    def ready(self, **data: Any) -> None:
        """A service says that it listens, and where."""
        self.emit("ready", data=data)

    def emit(self, type: str, **fields: Any) -> None:
        """Append one event: a single write of one line, so that a killed run leaves at most one torn last line."""
        self._seq += 1
        event = {"seq": self._seq, "t": round(time.time(), 3), "type": type, **fields}
        line = json.dumps(event, ensure_ascii=False, default=str).encode() + b"\n"
        try:
            written = self._file.write((b"\n" if self._torn else b"") + line) - self._torn
        except OSError:
            self._seq -= 1
            raise
        if written != len(line):  # the disk took only a part; the next event begins on a line of its own
            self._seq, self._torn = self._seq - 1, True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.dir / "events.jsonl"))
        self._torn = False


def _read_secrets() -> dict[str, str]:
    """Secrets come as one JSON object on the descriptor named in AIFS_SECRETS_FD, read once."""
    number = os.environ.pop("AIFS_SECRETS_FD", "")
    if not number:
        return {}
    with os.fdopen(int(number), "rb") as pipe:
        secrets: dict[str, str] = json.loads(pipe.read() or b"{}")
    return secrets


def _last_seq(path: Path) -> int:
    """Sequence number of the last whole line, so that an appending re-run goes on counting."""
    last = 0
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                try:
                    last = int(json.loads(line)["seq"])
                except (ValueError, KeyError):
                    continue
    return last
