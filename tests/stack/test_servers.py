"""PostgreSQL and Redis from their wheels: locked with a password, whole after kill -9, kept over restarts."""

import secrets
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from aifs.embedded.ports import free_port, is_taken
from aifs.embedded.postgres import Postgres, PostgresError
from aifs.embedded.redis import Redis, RedisError

PASSWORD = secrets.token_urlsafe(24)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("pg")
    server = Postgres(folder / "postgres", free_port(), PASSWORD, settings={"fsync": "off"})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis", free_port(), PASSWORD)
    server.start()
    yield server
    server.stop()


def query(server: Postgres, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def test_postgres_asks_for_its_password(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.url.replace(PASSWORD, "guess"))


def test_postgres_sorts_by_code_point(postgres: Postgres) -> None:
    assert query(postgres, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'aifs'") == [
        ("b", "C.UTF-8")
    ]


def test_postgres_keeps_rows_over_kill_and_restart(postgres: Postgres) -> None:
    query(postgres, "CREATE TABLE kept (v vector(3))")
    query(postgres, "INSERT INTO kept VALUES ('[1,2,3]')")
    assert postgres.process is not None
    postgres.process.send_signal(signal.SIGKILL)
    postgres.process.wait()
    postgres.start()
    postgres.stop()
    postgres.start()
    assert query(postgres, "SELECT v::text FROM kept") == [("[1,2,3]",)]


def test_postgres_says_that_its_port_is_taken(postgres: Postgres, tmp_path: Path) -> None:
    other = Postgres(tmp_path / "postgres", postgres.port, "another password", settings={"fsync": "off"})
    with pytest.raises(PostgresError, match=str(postgres.port)):
        other.start(timeout_s=10)
    assert other.process is None or other.process.poll() is not None


def test_a_broken_initdb_leaves_no_data_directory(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", free_port(), PASSWORD, user="no such user'")
    server.user = ""
    with pytest.raises(PostgresError, match="initdb failed"):
        server.initialise()
    assert not server.directory.exists()


def test_redis_asks_for_its_password(bell: Redis) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(host="127.0.0.1", port=bell.port).ping()
    assert stat.S_IMODE((bell.directory / "redis.conf").stat().st_mode) == 0o600
    assert PASSWORD not in " ".join(bell.command())


def test_redis_remembers_over_a_restart(bell: Redis) -> None:
    with redis.Redis.from_url(bell.url) as client:
        client.set("kept", "yes")
    bell.stop()
    bell.start()
    with redis.Redis.from_url(bell.url) as client:
        assert client.get("kept") == b"yes"


def test_redis_says_that_its_port_is_taken(bell: Redis, tmp_path: Path) -> None:
    assert is_taken(bell.port)
    with pytest.raises(RedisError, match=str(bell.port)):
        Redis(tmp_path / "other", bell.port, "another password").start(timeout_s=5)
