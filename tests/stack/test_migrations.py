"""The rule for migrations: nothing that the old code falls over or that holds a long lock (TRUST fault 21)."""

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from scripts.migration_sql import dangers

OURS = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}


@pytest.mark.django_db(transaction=True)
def test_migrations_may_run_while_serving() -> None:
    """A migration that breaks the rule says why it may in `safe_because`."""
    found = []
    for (app, name), migration in sorted(MigrationLoader(connection).disk_migrations.items()):
        if app in OURS and not getattr(migration, "safe_because", ""):
            output = StringIO()
            call_command("sqlmigrate", app, name, stdout=output, no_color=True)
            found += [f"{app} {name}: {danger}" for danger in dangers(output.getvalue())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "sql",
    [
        'ALTER TABLE "gpucloud_job" RENAME COLUMN "name" TO "title"',
        'ALTER TABLE "gpucloud_job" RENAME TO "gpucloud_work"',
        'ALTER TABLE "gpucloud_job" DROP COLUMN "name" CASCADE',
        'DROP TABLE "gpucloud_job" CASCADE',
        'ALTER TABLE "gpucloud_job" ALTER COLUMN "priority" TYPE bigint USING "priority"::bigint',
        'ALTER TABLE "gpucloud_job" ALTER COLUMN "started_at" SET NOT NULL',
        'CREATE INDEX "job_name" ON "gpucloud_job" ("name")',
        'CREATE UNIQUE INDEX "job_name" ON "gpucloud_job" ("name") WHERE "service"',
        'ALTER TABLE "gpucloud_job" ADD CONSTRAINT "job_name_once" UNIQUE ("name")',
        'ALTER TABLE "gpucloud_job" ADD CONSTRAINT "job_priority" CHECK ("priority" < 5)',
        'ALTER TABLE "gpucloud_job" ADD COLUMN "colour" varchar(5) NOT NULL',
        'ALTER TABLE "gpucloud_job" ADD COLUMN "colour" varchar(5) DEFAULT \'\' NOT NULL;\n'
        'ALTER TABLE "gpucloud_job" ALTER COLUMN "colour" DROP DEFAULT',
    ],
)
def test_dangerous_statements_are_named(sql: str) -> None:
    assert len(dangers(f"BEGIN;\n--\n-- what it does\n--\n{sql};\nCOMMIT;")) == 1


@pytest.mark.parametrize(
    "sql",
    [
        'CREATE TABLE "lms_note" ("id" uuid PRIMARY KEY);\nCREATE INDEX "note_id" ON "lms_note" ("id");\n'
        'ALTER TABLE "lms_note" ADD CONSTRAINT "note_job" FOREIGN KEY ("job_id") REFERENCES "gpucloud_job" ("id")',
        'ALTER TABLE "gpucloud_job" ADD COLUMN "colour" varchar(5) DEFAULT \'\' NOT NULL',
        'ALTER TABLE "gpucloud_job" ADD COLUMN "colour" varchar(5) NULL',
        'CREATE INDEX CONCURRENTLY "job_name" ON "gpucloud_job" ("name")',
        'ALTER TABLE "gpucloud_job" ADD CONSTRAINT "job_priority" CHECK ("priority" < 5) NOT VALID',
        "-- (no-op)",
    ],
)
def test_safe_statements_are_let_through(sql: str) -> None:
    assert dangers(f"BEGIN;\n{sql};\nCOMMIT;") == []
