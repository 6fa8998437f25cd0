"""`python -m aifs.embedded up|down|restart|status|run`: the stack of one AIFS_HOME."""

import argparse
import sys

from aifs.embedded import commands
from aifs.embedded.home import Home
from aifs.embedded.parent import StartError
from aifs.embedded.postgres import PostgresError
from aifs.embedded.redis import RedisError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m aifs.embedded", description="Run AIFS on this machine.")
    parser.add_argument("command", choices=["up", "down", "restart", "status", "run"])
    command = parser.parse_args(arguments).command
    try:
        return getattr(commands, command)(Home()) or 0
    except (StartError, PostgresError, RedisError) as error:
        print(f"aifs: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
