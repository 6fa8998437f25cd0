"""`python -m aifs.embedded.offline COMMAND …`: a management command that needs the database, whether the stack runs or
not. The embedded PostgreSQL is started for as long as the command takes, and nothing else is."""

import os
import subprocess
import sys

from aifs.embedded.home import ROOT, Configuration, Home
from aifs.embedded.parent import StartError, held, is_running
from aifs.embedded.postgres import PostgresError

MAKES_A_HOME = {"restore"}
"""Commands that may begin with nothing; all others want what is there."""


def main(arguments: list[str]) -> int:
    home = Home()
    try:
        if os.environ.get("DATABASE_URL") or is_running(home):
            return manage(home, arguments)
        if not (home.path / "postgres").exists() and arguments[:1][0] not in MAKES_A_HOME:
            raise StartError(f"There is no AIFS in {home.path}; set AIFS_HOME, or DATABASE_URL and the others.")
        return with_postgres(home, arguments)
    except (StartError, PostgresError) as error:
        print(f"aifs: {error}", file=sys.stderr)
        return 1


def with_postgres(home: Home, arguments: list[str]) -> int:
    """Under the lock of the stack, so that nobody starts it meanwhile."""
    home.make()
    with held(home):
        configuration = Configuration(home)
        configuration.save()
        if configuration.postgres is None:
            return manage(home, arguments)
        configuration.postgres.start()
        try:
            return manage(home, arguments)
        finally:
            configuration.postgres.stop()


def manage(home: Home, arguments: list[str]) -> int:
    environment = os.environ | {"AIFS_HOME": str(home.path)}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
