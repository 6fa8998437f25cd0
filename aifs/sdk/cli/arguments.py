"""Pieces of the command line that several commands share."""

import argparse
import json
import re
from typing import Any

from aifs.sdk.cli.output import Output
from aifs.sdk.errors import InvalidInput
from aifs.sdk.jobs import ENDED, Job


def pairs(given: list[str] | None, *, plain: bool = False) -> dict[str, Any]:
    """`k=v` arguments as a dict. A value is JSON when it reads as JSON, else text; `plain` keeps it text always.

    Raises InvalidInput for an argument without `=`.
    """
    found: dict[str, Any] = {}
    for pair in given or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"expected NAME=VALUE, not {pair!r}", code="wrong_use")
        found[name] = value if plain else value_of(value)
    return found


def value_of(text: str) -> Any:
    """A number, boolean, null, list or object when the text is JSON of one; else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, float) and value != value else value


def replicas(text: str) -> tuple[int, int]:
    """`2` or `1..4`, for argparse."""
    match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if not match:
        raise argparse.ArgumentTypeError("expected a number or A..B")
    low = int(match[1])
    return low, int(match[2] or low)


def wait_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until it is done, with a progress bar")


def follow(job: Job, out: Output, *, check: bool = True) -> Job:
    """Wait for a job: with a bar when a person watches, else with a line whenever its state changes or why it waits.

    Raises JobFailed with the reason.
    """
    told = ""

    def note(event: dict[str, Any]) -> None:
        nonlocal told
        if event["type"] == "job" and event["state"] not in ENDED:
            line = ": ".join(part for part in (event["state_label"], event["reason_text"]) if part)
            if line != told:
                told = line
                out.note(line)

    try:
        return job.wait(progress=True, check=check) if out.lively else job.wait(told=note, check=check)
    except KeyboardInterrupt:
        out.note(f"job {job.id} goes on; `aifs jobs cancel {job.id}` stops it")
        raise


def started(job: Job, out: Output) -> None:
    """What is said about a job that nobody waits for."""
    out.result({"job": job.id, "state": job.state}, f"job {job.id} {job.state}; see `aifs jobs show {job.id}`")
