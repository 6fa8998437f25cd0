"""The tests' own servers: real, private, and with the vector type."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_database_is_postgresql_18_with_vectors() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, '[1,2]'::vector <-> '[1,2]'::vector")
        version, distance = cursor.fetchone()
    assert version >= 180000
    assert distance == 0


@pytest.mark.django_db
def test_connections_are_given_back_and_tried_anew_soon() -> None:
    """By the pool that Django made: what is set and not passed on would do nothing."""
    connection.ensure_connection()
    pool = connection.pool
    assert pool is not None
    assert (pool.min_size, pool.max_idle, pool.reconnect_timeout) == (1, 10, 10)


@pytest.mark.django_db
def test_tables_exist() -> None:
    assert "core_user" in connection.introspection.table_names()


def test_redis_needs_its_password() -> None:
    assert "@127.0.0.1" in settings.REDIS_URL
    cache.set("ping", "pong", 5)
    assert cache.get("ping") == "pong"
