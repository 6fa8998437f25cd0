"""TRUST fault 21: the database is migrated while the old code serves, reads for long and writes."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections

from apps.gpucloud.models import Job
from apps.gpucloud.services import submit_job, update_job
from tests.factories import make_house
from tests.faults.history import History
from tests.lms.serving import database_url
from tests.servers import ROOT

pytestmark = pytest.mark.fault

LOCKED_MAX_MS = 200
READER_S = 2.0
NEXT = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("gpucloud", "{before}")]
    operations = [migrations.AddField("job", "colour", models.CharField(max_length=9, db_default="grey"))]
"""
AFTER = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

class Migration(migrations.Migration):
    atomic = False
    dependencies = [("gpucloud", "9001_colour")]
    operations = [AddIndexConcurrently("job", models.Index(fields=["colour"], name="job_colour"))]
"""


@pytest.fixture
def next_release(transactional_db: None, tmp_path: Path, settings: Any, monkeypatch: Any) -> Iterator[str]:
    """Two further migrations of gpucloud, as a next release would bring them; taken back at the end."""
    package = tmp_path / "next_gpucloud"
    shutil.copytree(ROOT / "apps/gpucloud/migrations", package)
    before = max(path.stem for path in package.glob("0*.py"))
    (package / "9001_colour.py").write_text(NEXT.format(before=before))
    (package / "9002_colour_index.py").write_text(AFTER)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.MIGRATION_MODULES = {"gpucloud": "next_gpucloud"}
    try:
        yield before
    finally:
        call_command("migrate", "gpucloud", before, verbosity=0)
        for name in [name for name in sys.modules if name.startswith("next_gpucloud")]:
            del sys.modules[name]


class Writer(threading.Thread):
    """The old code at work: submits jobs and renames them. `writes`: how many; `waits`: what PostgreSQL itself says of
    every statement that has waited for a lock longer than it may."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.house = make_house()
        self.writes = 0
        self.accepted: list[str] = []
        self.waits: list[str] = []
        self.error: Exception | None = None
        self.end = threading.Event()

    def run(self) -> None:
        actor = self.house.actor("engineer")
        try:
            self.watch_locks()
            while not self.end.is_set():
                job = submit_job(actor, self.house.project, "gpucloud.check", {"steps": 1})
                self.accepted.append(str(job.pk))
                update_job(actor, job, name="renamed")
                self.writes += 1
                time.sleep(0.005)
        except Exception as error:
            self.error = error
        finally:
            connections.close_all()

    def watch_locks(self) -> None:
        """PostgreSQL notes a wait once it is as old as `deadlock_timeout`, and sends this session its notes."""
        connection.ensure_connection()
        connection.connection.add_notice_handler(lambda note: self.waits.append(note.message_primary or ""))
        with connection.cursor() as cursor:
            cursor.execute(f"SET deadlock_timeout = '{LOCKED_MAX_MS}ms'")
            cursor.execute("SET log_lock_waits = on")
            cursor.execute("SET client_min_messages = log")


def read_for_long(begun: threading.Event) -> None:
    """A report that keeps its lock on the table until it is done."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM gpucloud_job")
            begun.set()
            cursor.execute("SELECT pg_sleep(%s)", [READER_S])
            cursor.execute("COMMIT")
    finally:
        connections.close_all()


def columns() -> set[str]:
    with connection.cursor() as cursor:
        return {column.name for column in connection.introspection.get_table_description(cursor, "gpucloud_job")}


def test_writers_go_on_while_the_database_is_migrated(next_release: str, capsys: Any, tmp_path: Path) -> None:
    """Behind a long reader the migration gives way again and again, and no write waits for it longer than it may."""
    writer, begun = Writer(), threading.Event()
    writer.start()
    while writer.writes < 20:
        assert writer.error is None, writer.error
        time.sleep(0.01)
    reader = threading.Thread(target=read_for_long, args=[begun], daemon=True)
    reader.start()
    assert begun.wait(10)
    call_command("migrate", "gpucloud", verbosity=0)
    written = writer.writes
    while writer.writes < written + 20:  # the old code on the new tables
        assert writer.error is None, writer.error
        time.sleep(0.01)
    writer.end.set()
    writer.join(20)
    reader.join(20)
    assert writer.error is None, writer.error
    assert "colour" in columns()
    assert "tried again" in capsys.readouterr().err, "the reader was never in the way"
    assert not [wait for wait in writer.waits if "still waiting" in wait]
    assert not Job.objects.exclude(name="renamed").exists()
    with connection.cursor() as cursor:  # what the new code reads of rows that the old code wrote
        cursor.execute("SELECT DISTINCT colour FROM gpucloud_job")
        assert cursor.fetchall() == [("grey",)]
    waiting = {"accepted": writer.accepted, "settled": False}  # nobody is there to run what was submitted
    assert not History(database_url(), tmp_path / "storage", [], **waiting).violations()


def test_an_index_that_a_crash_left_unfinished_is_made_anew(next_release: str) -> None:
    call_command("migrate", "gpucloud", "9001", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX job_colour ON gpucloud_job (colour)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'job_colour'::regclass")
    call_command("migrate", "gpucloud", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'job_colour'::regclass")
        assert cursor.fetchone() == (True,)
