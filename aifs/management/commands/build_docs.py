"""`manage.py build_docs [--check]`: write docs/reference/ from the code, or say where it differs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from aifs import reference


class Command(BaseCommand):
    help = "Write the reference pages that are made from code, or with --check say which are out of date."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):
            if options["check"]:
                if stale := reference.drift():
                    raise CommandError(f"Out of date: {', '.join(stale)}. Run `make fix`.")
                return
            reference.FOLDER.mkdir(parents=True, exist_ok=True)
            for name, build in reference.PAGES.items():
                (reference.FOLDER / name).write_text(build())
                self.stdout.write(f"docs/reference/{name}")
