"""The end of a process's start: settling down, and telling whoever started it that it works now."""

import gc
import os
from pathlib import Path

THRESHOLDS = (10_000, 20, 10)
"""So many more objects than were given back before the newest are looked through; so often before older ones are."""


def announce_ready() -> None:
    """Touch the file named by AIFS_READY_FILE; without one nobody waits."""
    if path := os.environ.get("AIFS_READY_FILE"):
        Path(path).touch()


def settle() -> None:
    """Leave everything loaded so far out of garbage collection, and collect more rarely: a full collection would stop
    the process for 70 ms again and again, to look at modules that stay anyway; in the middle of an answer with hundreds
    of rows for longer, to find that all of them are still needed."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
