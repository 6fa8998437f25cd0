"""pg_dump and pg_restore: finding programs that fit the server, and running them without a password in sight."""

import contextlib
import glob
import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from aifs.backup import BackupError
from aifs.embedded.postgres import PostgresError, programs

NEW_PARAMETER = 17
"""From this version on pg_dump and pg_restore set transaction_timeout, which older servers do not know."""
TABLES = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""


def major(connection: psycopg.Connection) -> int:
    return connection.info.server_version // 10_000


def client(name: str, oldest: int, newest: int = 1_000) -> tuple[Path, int]:
    """The program of the lowest version from `oldest` to `newest`, and that version: a newer one could write what an
    older server does not read. Raises BackupError when there is none."""
    found: dict[int, Path] = {}
    for path in _candidates(name):
        done = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
        if match := re.search(r"\(PostgreSQL\) (\d+)", done.stdout):
            found.setdefault(int(match[1]), path)
    fitting = [version for version in sorted(found) if oldest <= version <= newest]
    if not fitting:
        here = ", ".join(map(str, sorted(found))) or "none"
        wanted = (
            f"{oldest}" if newest == oldest else f"{oldest} to {newest}" if newest < 1_000 else f"{oldest} or newer"
        )
        raise BackupError(f"{name} of version {wanted} is needed, here is {here}: install postgresql-client-{oldest}.")
    return found[fitting[0]], fitting[0]


def _candidates(name: str) -> list[Path]:
    places = [shutil.which(name), *sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))]
    with contextlib.suppress(PostgresError):  # a production machine has no embedded one
        places.append(str(programs() / name))
    return [Path(place) for place in places if place and os.access(place, os.X_OK)]


def dump(url: str, snapshot: str, server: int, target: Path) -> int:
    """Write a dump of what one snapshot shows. Returns the version of pg_dump."""
    program, version = client("pg_dump", server)
    arguments = ["--format=custom", "--no-owner", "--no-privileges", "--no-comments", "--no-password"]
    _run([str(program), *arguments, f"--snapshot={snapshot}", f"--file={target}"], url)
    return version


def restore(url: str, server: int, dumped_with: int, source: Path) -> None:
    """Load a dump, wholly or not at all. The server must be as new as the one it came from."""
    if server < NEW_PARAMETER <= dumped_with:
        raise BackupError(
            f"The dump was written by pg_dump {dumped_with}, whose dumps PostgreSQL {server} does not take. "
            f"Restore into PostgreSQL {NEW_PARAMETER} or newer, or back up again with postgresql-client-{server} there."
        )
    newest = NEW_PARAMETER - 1 if server < NEW_PARAMETER else 1_000
    program, _version = client("pg_restore", dumped_with, newest)
    arguments = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]
    _run([str(program), *arguments, "--no-password", str(source)], url)


def table_count(connection: psycopg.Connection) -> int:
    """Tables and views that are no part of an extension; 0 in a database that nobody has used."""
    row = connection.execute(TABLES).fetchone()
    return int(row[0]) if row else 0


def _run(command: list[str], url: str) -> None:
    """The password goes by environment, which other users of the machine cannot read."""
    parameters = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    password = parameters.pop("password", "")
    environment = os.environ | {"PGPASSWORD": password, "LC_ALL": "C"}
    command = [*command, f"--dbname={make_conninfo(**parameters)}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-1500:]}")
