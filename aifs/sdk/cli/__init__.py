"""The `aifs` command.

Exit status: 0 ok, 1 failed, 2 wrong use, 3 not found, 4 not allowed. With `--json` the last line of standard output is
one JSON object (or array); reasons and progress go to standard error.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from aifs.sdk import errors
from aifs.sdk.cli import datasets, jobs, models, operating, prompts, serving, signin
from aifs.sdk.cli.output import Output
from aifs.sdk.client import Client

GROUPS = (signin, datasets, models, jobs, serving, prompts, operating)
FAILED, WRONG_USE, NOT_FOUND, NOT_ALLOWED = 1, 2, 3, 4
STATUS: dict[type[errors.AifsError], int] = {
    errors.InvalidInput: WRONG_USE,
    errors.NotFound: NOT_FOUND,
    errors.NotAllowed: NOT_ALLOWED,
    errors.NotSignedIn: NOT_ALLOWED,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = parser().parse_args(meant(sys.argv[1:] if argv is None else argv))
    out = Output(json=arguments.json)
    command: Callable[..., int | None] = arguments.command
    try:
        if command is signin.login or getattr(arguments, "local", False):
            return command(arguments, out) or 0
        with Client(arguments.url, arguments.key, arguments.project) as client:
            return command(client, arguments, out) or 0
    except errors.AifsError as error:
        out.complain(str(error))
        return next((status for kind, status in STATUS.items() if isinstance(error, kind)), FAILED)
    except TimeoutError as error:
        out.complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has left: `aifs jobs list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def meant(argv: Sequence[str]) -> list[str]:
    """`aifs job list` means `aifs jobs list` and `aifs jobs start` means `aifs job start`: either word does."""
    words = list(argv)
    command = next((at for at, word in enumerate(words) if not word.startswith("-") and not _is_value(words, at)), -1)
    if 0 <= command < len(words) - 1 and words[command] in ("job", "jobs"):
        words[command] = "job" if words[command + 1] == "start" else "jobs"
    return words


def _is_value(words: list[str], at: int) -> bool:
    """Whether a word belongs to an option that stands before the command."""
    return at > 0 and words[at - 1] in ("--project", "--url", "--key")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    common = _common(argparse.SUPPRESS)
    root = argparse.ArgumentParser(
        prog="aifs",
        description="Work with AIFS: from raw data to a published answer.",
        epilog="Where to connect: AIFS_URL and AIFS_API_KEY, else what `aifs login` or `make up` stored.",
        parents=[_common(None)],
    )
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add(commands, common)
    return root


def _common(default: Any) -> argparse.ArgumentParser:
    """Options that stand before or after the command."""
    common = argparse.ArgumentParser(add_help=False)
    options = common.add_argument_group("everywhere")
    options.add_argument("--json", action="store_true", default=default or False, help="print one JSON object")
    options.add_argument("--project", default=default, metavar="SLUG", help="project to work in (AIFS_PROJECT)")
    options.add_argument("--url", default=default, help="address of the installation (AIFS_URL)")
    options.add_argument("--key", default=default, help="API key; better set AIFS_API_KEY, which others cannot see")
    return common
