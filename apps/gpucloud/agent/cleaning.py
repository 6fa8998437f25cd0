"""Run directories that nobody needs any more."""

import shutil
import time
from pathlib import Path

from apps.core.selectors import as_uuid
from apps.gpucloud.models import Job

DAY_S = 86_400
SHORT_SHARE = 0.1
SHORT_DAYS = 1 / 24
"""When less than this share of the disk is free, ended runs go after an hour: what they made is in storage."""


def days_to_keep(runs_dir: Path, days: float) -> float:
    """How long run directories may stay: so many days, and less where the disk is short."""
    disk = shutil.disk_usage(runs_dir)
    return min(days, SHORT_DAYS) if disk.free < SHORT_SHARE * disk.total else days


def superfluous(runs_dir: Path, days: float) -> list[Path]:
    """Folders of jobs that ended (or were deleted) and have not been touched for so many days."""
    old = {
        known: path
        for path in runs_dir.iterdir()
        if (known := as_uuid(path.name)) and path.is_dir() and time.time() - path.stat().st_mtime > days * DAY_S
    }
    alive = set(Job.objects.filter(pk__in=old, state__in=Job.ACTIVE).values_list("pk", flat=True))
    return [path for known, path in old.items() if known not in alive]
