"""`python -m aifs.demo [--data FILE]`: run the main job and say what came of every step.

Exit status 0 only when every step really worked and, on the shipped data, the held-out loss fell by 40 %.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from aifs.demo import report, stack
from aifs.demo.run import Demo
from aifs.demo.screen import Screen
from aifs.sdk.errors import AifsError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m aifs.demo", description="From raw data to a published answer.")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ["DATA"]) if os.environ.get("DATA") else None,
        metavar="FILE",
        help="your own questions and answers instead of the shipped ones (Alpaca, ShareGPT, OpenAI messages …)",
    )
    arguments = parser.parse_args(argv)
    if arguments.data and not arguments.data.is_file():
        parser.error(f"there is no file {arguments.data}")
    screen = Screen()
    (stack.home() / "demo" / "report.json").unlink(missing_ok=True)  # of a run before: this one may not get that far
    try:
        with screen.step("Start the stack"):
            access = stack.ready()
        demo = Demo(access, stack.home() / "demo", arguments.data, screen)
        found = demo.run()
    except (AifsError, OSError, ValueError, KeyError, subprocess.CalledProcessError, TimeoutError) as error:
        screen.failed(error)
        return 1
    except KeyboardInterrupt:
        screen.note("Stopped. What was started goes on: see `aifs jobs list`; `make down` stops the stack.")
        return 130
    path = report.write(found, stack.home() / "demo" / "report.json")
    screen.table(found)
    screen.note(f"Report: {path}")
    problems = report.problems(found, shipped=arguments.data is None)
    for problem in problems:
        screen.failed(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
