"""A database of its own for a measurement that runs the application inside this process."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from aifs.embedded.ports import free_port
from aifs.embedded.postgres import Postgres


@contextlib.contextmanager
def migrated(folder: Path) -> Iterator[None]:
    """Django over an empty, migrated PostgreSQL under `folder`, with storage there and nobody at the bell's address.

    Once a process: Django reads its settings a single time.
    """
    server = Postgres(folder / "postgres", free_port(), secrets.token_urlsafe(24))
    server.start()
    try:
        os.environ |= {
            "DATABASE_URL": server.url,
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",  # bells are lost, as they may be
            "AIFS_HOME": str(folder),
            "STORAGE_URL": f"file://{folder / 'storage'}",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "aifs.settings",
            "ALLOWED_HOSTS": "testserver",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield
    finally:
        server.stop()
