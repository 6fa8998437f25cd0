"""A wall clock that jumps, for all processes of a stack and for PostgreSQL. Runs keep the true one, as those on another
machine would: their agent hands them few variables."""

import shutil
import subprocess
import time
from pathlib import Path

HOUR_S = 3600
SOURCE = Path(__file__).with_name("clock.c")
NO_COMPILER = "there is no C compiler to move the clock with"


class Clock:
    """Start the processes with `environment`; `move` then moves the wall clock of all of them at once. jump_s: how wide
    its jumps are; wider than what is watched lasts, or its times cannot be put right.

    Raises RuntimeError where no C compiler is installed.
    """

    def __init__(self, folder: Path, jump_s: int = HOUR_S) -> None:
        self.jump_s = jump_s
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise RuntimeError(NO_COMPILER)
        library, self.path = folder / "clock.so", folder / "clock"
        try:
            subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
        except subprocess.CalledProcessError as error:  # without the headers of libc
            raise RuntimeError(NO_COMPILER) from error
        self.environment = {"LD_PRELOAD": str(library), "AIFS_CLOCK_FILE": str(self.path)}
        self.jumps: list[tuple[float, int]] = []
        self.path.write_bytes(bytes(8))
        self.move(0)

    def move(self, by_s: int) -> None:
        moved = by_s + (self.jumps[-1][1] if self.jumps else 0)
        with self.path.open("r+b") as file:
            file.write(moved.to_bytes(8, "little", signed=True))
        self.jumps.append((time.time(), moved))

    def straight(self, told: float) -> float:
        """What a clock that never jumped would have told."""
        ends = [began for began, _moved in self.jumps[1:]] + [time.time()]
        outside = [
            (max(0.0, began + moved - told, told - moved - end), moved)
            for (began, moved), end in zip(self.jumps, ends, strict=True)
        ]
        return told - min(outside)[1]
