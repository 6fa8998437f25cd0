"""Reading files that another process is still writing: whole lines only, from a stored offset."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

READ_BYTES = 256 << 10
"""Per file and batch: a batch must not keep the agent from its heartbeat."""
LINE_BYTES = 128 << 10
BACKLOG_BYTES = 8 << 20
"""More unread output than this is skipped: the whole of it stays in the run directory."""


@dataclass
class Tail:
    """A growing file and how far it has been read."""

    path: Path
    offset: int = 0

    def has_grown(self) -> bool:
        return self.size() > self.offset

    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, *, ended: bool = False) -> tuple[list[bytes], int]:
        """Whole lines from the offset, and the offset behind them. It is the caller's to move the offset, once they are
        stored. ended: nothing more will be written, so an unfinished last line counts too."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                block = file.read(READ_BYTES)
        except FileNotFoundError:
            return [], self.offset
        whole = block.rfind(b"\n") + 1
        if not whole and block and (ended or len(block) >= LINE_BYTES):
            whole = len(block)
        if ended and len(block) < READ_BYTES:
            whole = len(block)
        lines = block[:whole].split(b"\n")
        return lines[:-1] if block[:whole].endswith(b"\n") else lines if whole else [], self.offset + whole


def parse_events(lines: list[bytes]) -> list[dict[str, Any]]:
    """Events of the right shape; anything else (a torn line of a killed run) is left out with a word in the agent's
    log."""
    events = []
    for line in lines:
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            if not isinstance(event, dict) or not isinstance(event.get("type"), str):
                raise ValueError("not an event")
            events.append({**event, "t": float(event.get("t") or 0)})
        except (ValueError, TypeError, RecursionError) as error:
            log.warning("event left out (%s): %r", error, line[:200])
    return events


def parse_output(lines: list[bytes]) -> list[str]:
    """Lines as a terminal would leave them: what a carriage return overwrote is gone."""
    texts = [line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace") for line in lines]
    return [text for text in texts if text.strip()]
