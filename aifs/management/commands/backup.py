"""`manage.py backup`: what `aifs backup` runs on the operator's machine."""

import json
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aifs.backup import BackupError, progress
from aifs.backup.making import back_up


class Command(BaseCommand):
    help = "Copy database and stored files to a folder (the next copy is incremental) or a new .tar or .tar.zst file."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", type=Path)
        parser.add_argument("--with-secrets", action="store_true")
        parser.add_argument("--keep", type=int, default=0)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = back_up(
                options["target"].absolute(), progress.Lines(self.stderr), with_secrets=options["with_secrets"],
                keep=max(options["keep"], 0),
            )  # fmt: skip
        except (BackupError, psycopg.Error, OSError) as error:
            raise CommandError(f"No backup was made. {error}") from None
        self.stdout.write(json.dumps(done) if options["json"] else words(done))
        if lost := [*done["missing"], *done["damaged"]]:
            raise CommandError(
                f"The backup was made, but storage has lost {len(lost)} files that the database names: {lost[0]} …"
            )


def words(done: dict[str, Any]) -> str:
    size, copied = done["bytes"] >> 20, done["bytes_copied"] >> 20
    secrets = "" if done["secrets"] else " Without secrets: keep SECRET_KEY elsewhere."
    return (
        f"Backed up to {done['backup']} (snapshot {done['snapshot']}): database {done['database_bytes'] >> 10} KiB, "
        f"{done['files']} files of {size} MiB, of which {done['files_copied']} ({copied} MiB) were new.{secrets}"
    )
