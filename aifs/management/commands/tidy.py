"""`manage.py tidy`: what housekeeping does every hour, now."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.core.services.housekeeping import tidy
from apps.gpucloud.services.checkpoints import remove_strays


class Command(BaseCommand):
    help = "Throw away what nobody will come back for: temporary files, stray checkpoints, old uploads and sessions."
    requires_system_checks: tuple[str, ...] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        removed = tidy() | {"checkpoints": remove_strays()}
        self.stdout.write(", ".join(f"{name} {count}" for name, count in removed.items()))
