"""A stack for a measurement, and a client that submits jobs to it."""

import contextlib
import json
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.stack.stacks import Stack

FINAL = {"succeeded", "failed", "cancelled"}


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Stack]:
    stack = Stack(folder / "home")
    stack.up()
    try:
        yield stack
    finally:
        stack.down()


def submit(stack: Stack, kind: str, params: dict[str, Any]) -> str:
    """Submit a job over HTTP, as a user's script does. Returns its id."""
    body = json.dumps({"project": stack.access["project"], "kind": kind, "params": params}).encode()
    request = urllib.request.Request(stack.access["url"] + "/api/v1/jobs/", body)  # noqa: S310 - our own address
    request.add_header("Authorization", f"Bearer {stack.access['api_key']}")
    request.add_header("Content-Type", "application/json")
    request.add_header("Idempotency-Key", str(uuid.uuid4()))
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return str(json.loads(answer.read())["id"])


def wait(stack: Stack, job: str, timeout_s: float = 600) -> dict[str, Any]:
    """The job once it has ended."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        answer = stack.get(f"/api/v1/jobs/{job}/")
        if answer["state"] in FINAL:
            return dict(answer)
        time.sleep(0.1)
    raise TimeoutError(f"job {job} did not end in {timeout_s} s")


def first_event(run: Path, timeout_s: float = 60) -> dict[str, Any]:
    """The first whole line of a run's events, as soon as it is there."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            line, newline, _rest = (run / "events.jsonl").read_bytes().partition(b"\n")
            if newline:
                return dict(json.loads(line))
        time.sleep(0.002)
    raise TimeoutError(f"no event in {run}")
