"""`manage.py migrate`, while AIFS serves: a lock that is not had at once is given up and asked for again.

Whoever waits for a lock on a table lets everybody else queue up behind: a migration behind one long reader would stop
all writers. What a migration itself may hold is judged before it is committed, see `scripts/migration_sql.py`.
"""

import time
from typing import Any

import psycopg
from django.core.management.commands import migrate
from django.db import OperationalError, connections

LOCK_MS = 150
TRIES = 120
PAUSE_S = 0.5


def drop_unfinished_indexes(connection: Any) -> None:
    """CREATE INDEX CONCURRENTLY leaves one when it is broken off, by us or by a crash, and would then find its name
    taken."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE NOT indisvalid AND pg_get_userbyid(relowner) = current_user"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        for attempt in range(1, TRIES + 1):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_MS}ms"])
            try:
                drop_unfinished_indexes(connection)
                super().handle(*args, **options)
                break
            except OperationalError as error:
                if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable) or attempt == TRIES:
                    raise
                self.stderr.write("A table is in use; the migration is tried again.")
                time.sleep(PAUSE_S)
            finally:
                with connection.cursor() as cursor:
                    cursor.execute("RESET lock_timeout")
