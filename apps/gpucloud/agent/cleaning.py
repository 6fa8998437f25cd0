"""Run directories that nobody needs any more. What their runs made is in storage before a job counts as ended."""

import shutil
import time
from collections.abc import Collection
from pathlib import Path
from uuid import UUID, uuid4

from apps.core.selectors import as_uuid
from apps.gpucloud.agent.processes import read_json
from apps.gpucloud.models import Job
from workers.supervise import is_alive

DAY_S = 86_400
DOOMED = ".doomed."


def is_short(runs_dir: Path, floor: float) -> bool:
    """Whether less than this share of the disk is free."""
    disk = shutil.disk_usage(runs_dir)
    return disk.free < floor * disk.total


def superfluous(runs_dir: Path, days: float, *, short: bool = False, held: Collection[UUID] = ()) -> list[Path]:
    """Folders of jobs that ended (or were deleted) so many days ago, longest ago first; where the disk is short, at
    least the first one that may go at all, so that no more goes than must.

    held: jobs that the agent tends. A folder with a living supervisor stays, whatever the records say: an agent ends or
    adopts it.
    """
    folders = {known: path for path in runs_dir.iterdir() if (known := as_uuid(path.name)) and path.is_dir()}
    active = set(Job.objects.filter(pk__in=folders, state__in=Job.ACTIVE).values_list("pk", flat=True)) | set(held)
    ends = dict(Job.objects.filter(pk__in=folders.keys() - active).values_list("pk", "ended_at"))
    ended = sorted(
        (at.timestamp() if (at := ends.get(known)) else path.stat().st_mtime, path)
        for known, path in folders.items()
        if known not in active
    )
    idle = [(ended_s, path) for ended_s, path in ended if not _is_lived_in(path)]
    old = [path for ended_s, path in idle if ended_s < time.time() - days * DAY_S]
    return old or [path for _ended_s, path in idle[:short]]


def doom(runs_dir: Path, folders: list[Path]) -> list[Path]:
    """Put folders out of the way at once: a job that is started again meanwhile makes a new one. Returns what now waits
    to be deleted, also from an agent that was killed over it."""
    for folder in folders:
        folder.rename(runs_dir / f"{DOOMED}{uuid4().hex}")
    return list(runs_dir.glob(f"{DOOMED}*"))


def _is_lived_in(folder: Path) -> bool:
    records = (read_json(record) for record in folder.glob("*/supervisor.json"))
    return any(is_alive(who) for who in records if who)
