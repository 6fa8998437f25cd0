"""How far a backup is, as lines on standard error: they read well in a terminal, a log and a scheduled job's mail."""

import time
from typing import Protocol

EVERY_S = 2.0


class Stream(Protocol):
    def write(self, text: str, /) -> object: ...


class Lines:
    """One line when a part begins or ends, and every two seconds between."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.part, self.next_at = stream, "", 0.0

    def __call__(self, part: str, done: int, total: int) -> None:
        now = time.monotonic()
        if part == self.part and now < self.next_at and done < total:
            return
        self.part, self.next_at = part, now + EVERY_S
        share = f"{100 * done / total:3.0f} %" if total else "100 %"
        of = f" of {total / 2**20:,.1f} MiB" if total > 1 else ""
        self.stream.write(f"{part}: {share}{of}")
