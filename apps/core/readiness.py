"""The end of a process's start: settling down, and telling whoever started it that it works now."""

import gc
import os
from pathlib import Path


def announce_ready() -> None:
    """Touch the file named by AIFS_READY_FILE; without one nobody waits."""
    if path := os.environ.get("AIFS_READY_FILE"):
        Path(path).touch()


def settle() -> None:
    """Leave everything loaded so far out of garbage collection: a full one would stop the process for 70 ms again and
    again, to look at modules that stay anyway."""
    gc.collect()
    gc.freeze()
