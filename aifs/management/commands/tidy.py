"""`manage.py tidy`: what housekeeping does every hour or day, now."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from apps.core.services.collecting import collect
from apps.core.services.housekeeping import tidy
from apps.gpucloud.services.checkpoints import remove_strays


class Command(BaseCommand):
    help = (
        "Throw away what nobody will come back for: temporary files, stray checkpoints, old uploads and sessions, and "
        "stored files that nothing names any more."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what of storage would go")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["dry_run"]:
            removed = tidy() | {"checkpoints": remove_strays()}
            self.stdout.write(", ".join(f"{name} {count}" for name, count in removed.items()))
        self.stdout.write(
            f"storage{', if it were done' if options['dry_run'] else ''}: {collect(dry_run=options['dry_run'])}"
        )
