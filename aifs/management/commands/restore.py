"""`manage.py restore`: what `aifs restore` runs on the operator's machine."""

import json
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aifs.backup import BackupError, progress
from aifs.backup.restoring import restore
from apps.core.errors import AifsError

SECRETS = {
    "same": "",
    "restored": " The SECRET_KEY and the access of the backup are in place.",
    "other": " SECRET_KEY is another one: enter the keys of external endpoints again; everybody signs in again.",
}


class Command(BaseCommand):
    help = "Bring a backup back into an empty database; nothing is ever overwritten."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path)
        parser.add_argument("--snapshot", default="")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restore(options["source"].absolute(), progress.Lines(self.stderr), options["snapshot"])
        except (BackupError, psycopg.Error, OSError, AifsError) as error:
            raise CommandError(f"Nothing was restored. {error}") from None
        self.stdout.write(json.dumps(done) if options["json"] else words(done))
        if done["missing"]:
            self.stderr.write(f"{len(done['missing'])} files were lost before the backup: {done['missing'][0]} …")


def words(done: dict[str, Any]) -> str:
    return (
        f"Restored the backup of {done['snapshot']}: {done['files']} files of {done['bytes'] >> 20} MiB, "
        f"{done['checkpoints']} checkpoints; {done['jobs_requeued']} jobs go on.{SECRETS[done['secret_key']]}"
    )
