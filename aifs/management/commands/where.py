"""`manage.py where lmt:run_create`: the files behind a URL name."""

import difflib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aifs import source_map


class Command(BaseCommand):
    help = "Print view, service, template, button and test of a URL name, or all names."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url_name", nargs="?", help="for example lmt:run_create; without it all names are listed")

    def handle(self, *args: Any, **options: Any) -> None:
        names = source_map.urls()
        wanted = options["url_name"]
        if wanted is None:
            self.stdout.write("\n".join(sorted(names)))
            return
        if wanted not in names:
            near = ", ".join(difflib.get_close_matches(wanted, names)) or "none is near"
            raise CommandError(f"No URL is named {wanted}; like it: {near}.")
        for place in source_map.places(names[wanted]):
            self.stdout.write(str(place))
