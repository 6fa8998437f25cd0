"""Servers that are not ours, as another department would hand them over: an address, a role, a password.

PostgreSQL comes from the wheel's programs with a cluster, an administrator and a role of its own; Redis is the
machine's `redis-server` (Debian's), not the wheel's.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import redis
from psycopg import sql

from aifs.embedded.ports import LOOPBACK, free_port
from aifs.embedded.postgres import Postgres

ROLE, DATABASE = "application", "company aifs"


@contextmanager
def foreign_postgres(folder: Path, **settings: str) -> Iterator[str]:
    """A DATABASE_URL whose role is no administrator: it owns one database, in which the vector type was made for it.
    settings: of the server."""
    server = Postgres(folder / "cluster", free_port(), secrets.token_urlsafe(24), user="dba", database="dba",
                      settings={"fsync": "off"} | settings)  # fmt: skip
    server.start()
    password = f"{secrets.token_urlsafe(24)}/@:% "
    try:
        with psycopg.connect(server.url, autocommit=True) as session:
            session.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} NOSUPERUSER NOCREATEDB NOCREATEROLE").format(
                    sql.Identifier(ROLE), sql.Literal(password)
                )
            )
            session.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(ROLE))
            )
        with psycopg.connect(server.url_of(quote(DATABASE)), autocommit=True) as session:
            session.execute("CREATE EXTENSION vector")
        yield f"postgresql://{ROLE}:{quote(password, safe='')}@{LOOPBACK}:{server.port}/{quote(DATABASE)}"
    finally:
        server.stop()


@contextmanager
def foreign_redis(folder: Path) -> Iterator[str]:
    """A REDIS_URL of the machine's own redis-server; database 3, so that nothing relies on the first one."""
    program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("there is no redis-server on this machine; Debian's package redis-server brings one")
    folder.mkdir(mode=0o700)
    port, password = free_port(), secrets.token_urlsafe(24)
    configuration = folder / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(f"bind {LOOPBACK}\nport {port}\nrequirepass {password}\ndir {folder}\nsave ''\n")
    process = subprocess.Popen([program, str(configuration)], stdout=subprocess.DEVNULL, cwd="/")
    url = f"redis://:{password}@{LOOPBACK}:{port}/3"
    try:
        _wait_for_redis(url)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait_for_redis(url: str, timeout_s: float = 20.0) -> None:
    until = time.monotonic() + timeout_s
    while True:
        try:
            with redis.Redis.from_url(url, socket_timeout=2) as client:
                client.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def program() -> str:
    """The `aifs` command of this environment."""
    return str(Path(sys.executable).parent / "aifs")


def command(access: dict[str, str], *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The `aifs` command against an installation, as a user runs it."""
    where = {"AIFS_URL": access["url"], "AIFS_API_KEY": access["api_key"], "AIFS_PROJECT": access["project"]}
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [program(), *arguments], env=kept | where | environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
