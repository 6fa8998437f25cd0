"""The PostgreSQL that DATABASE_URL names: whether AIFS can work with it, said before anything else is tried."""

from urllib.parse import urlsplit

import psycopg

OLDEST = 15
VECTOR = "CREATE EXTENSION IF NOT EXISTS vector"


class Unusable(Exception):
    """The server cannot be used; the message says why and what to do."""


def check_server(url: str) -> None:
    """Connect once, without the pool, which would hide the reason. Makes the vector type where the role may.

    Raises Unusable when the server is away, refuses us, is too old or has no pgvector.
    """
    parts = urlsplit(url)
    place = f"the PostgreSQL of DATABASE_URL ({parts.hostname or 'this machine'}:{parts.port or 5432})"
    try:
        with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
            version = connection.info.server_version
            if version < OLDEST * 10_000:
                raise Unusable(f"{place} is version {version // 10_000}; AIFS needs {OLDEST} or newer.")
            if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
                _make_vector(connection, place)
    except psycopg.OperationalError as error:
        raise Unusable(f"{place} cannot be used: {str(error).strip()}") from None


def _make_vector(connection: psycopg.Connection, place: str) -> None:
    try:
        connection.execute(VECTOR)
    except psycopg.Error as error:
        raise Unusable(
            f"{place} has no vector type in database {connection.info.dbname}: {str(error).strip()}. "
            f"Install pgvector there, and let an administrator run in that database: {VECTOR};"
        ) from None
