"""Whether an error means that a disk is full, and how much space would help."""

import errno
import os
from pathlib import Path

FULL_EXIT = os.EX_CANTCREAT
"""Exit status of a run that found no space: not its fault, and it can go on from its checkpoint once there is some."""
NUMBERS = {errno.ENOSPC, errno.EDQUOT}
WORDS = ("no space left on device", "disk quota exceeded")
MARGIN_MIB = 16
SHARE_MAX = 0.9


def is_full(error: BaseException | None) -> bool:
    """By the number of the error; libraries that hide it leave the system's words, or the error they came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if (isinstance(error, OSError) and error.errno in NUMBERS) or any(word in str(error).lower() for word in WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def free_mib(path: Path) -> int:
    """Space for an ordinary user on the disk that holds the path, or would hold it."""
    found = os.statvfs(_existing(path))
    return (found.f_bavail * found.f_frsize) >> 20


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def used_mib(folder: Path) -> int:
    """What removing the folder would give back: hard links that lie elsewhere too do not count."""
    blocks = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(place, name))
            except OSError:
                continue
            blocks += found.st_blocks if found.st_nlink == 1 else 0
    return (blocks * 512) >> 20


def needed_mib(folder: Path, on: Path | None = None) -> int:
    """Free space with which the work of this folder may be tried again: all it had, and a quarter more, but never more
    than the disk could have. Space that is free again by now was taken by others and given back: it was not this work
    that had not enough with it. on: the disk to which the folder did not fit, if not its own."""
    disk = on or folder
    own, free = used_mib(folder), free_mib(disk)
    had = own if free > own + MARGIN_MIB else own + free
    return min(had + max(MARGIN_MIB, had // 4), int(total_mib(disk) * SHARE_MAX))


def total_mib(path: Path) -> int:
    found = os.statvfs(_existing(path))
    return (found.f_blocks * found.f_frsize) >> 20
