"""One installation for many tests, on a database of its own that nobody empties between them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection, connections
from psycopg import sql

from tests.faults.installation import Installation


class Standing:
    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self.folders = folders
        self.database = f"test_run_{os.getpid()}_standing"
        self.installation: Installation | None = None

    @contextmanager
    def entered(self) -> Iterator[Installation]:
        """The installation, while Django's connections lead to its database."""
        own = connection.settings_dict["NAME"]
        if self.installation is None:
            self._copy_database(str(connection.settings_dict["TEST"]["TEMPLATE"]))
        _turn_to(self.database)
        try:
            if self.installation is None:
                self.installation = Installation(self.folders.mktemp("standing"))
                self.installation.start_core()
            yield self.installation
        finally:
            _turn_to(own)

    def end(self) -> None:
        if self.installation is not None:
            self.installation.end()
            self.installation = None

    def _copy_database(self, template: str) -> None:
        name = sql.Identifier(self.database)
        with psycopg.connect(os.environ["DATABASE_URL"].rpartition("/")[0] + "/postgres", autocommit=True) as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template)))


def _turn_to(database: str) -> None:
    connections.close_all()
    connection.close_pool()
    connection.settings_dict["NAME"] = database
