"""What the demo prints: a line for each step as it ends, the table at the end."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

LOG_WIDTH = 140
"""Columns when the output goes to a file."""
BEAT_S = 20.0


class Screen:
    """seconds: how long each step took, by its short name."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = LOG_WIDTH
        self.seconds: dict[str, float] = {}
        self._number = 0
        self._beat = 0.0

    @contextlib.contextmanager
    def step(self, title: str, name: str = "") -> Iterator[list[str]]:
        """Time a step and print its result: what is appended to the list that this yields."""
        self._number += 1
        self.console.print(Text.assemble((f"{self._number:>2}  ", "dim"), (title, "bold"), (" …", "dim")))
        said: list[str] = []
        start = self._beat = time.monotonic()
        yield said
        took = time.monotonic() - start
        self.seconds[name or title.lower().replace(" ", "_")] = round(took, 2)
        for line in said or ["done"]:
            self.console.print(f"    {line}")
        self.console.print(Text(f"    {took:.1f} s", style="dim"))

    def beat(self, event: dict[str, Any]) -> None:
        """A sign of life of a long job, where no bar can be drawn: a line every `BEAT_S`."""
        progress = event.get("progress") if event["type"] == "job" else None
        if not progress or time.monotonic() - self._beat < BEAT_S:
            return
        self._beat = time.monotonic()
        self.console.print(
            Text(f"    {progress['message']}: {progress['done']:g} / {progress['total']:g}", style="dim")
        )

    def note(self, words: str) -> None:
        self.console.print(words)

    def failed(self, reason: object) -> None:
        self.console.print(Text.assemble(("FAILED  ", "bold red"), str(reason)))

    def table(self, found: dict[str, Any]) -> None:
        """The end of the demo: what went in, what came out, where to look."""
        table = Table(title="From raw data to a published answer", show_header=False, title_justify="left")
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in _rows(found):
            table.add_row(Text(name), Text(value))
        self.console.print(table)


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "rows in", str(found["rows_in"])
    yield "rows kept", str(found["rows_kept"])
    yield "rows in quarantine", str(found["rows_quarantined"])
    yield "rows dropped by cleaning", str(found["rows_dropped"])
    before, after = found["loss_before"], found["loss_after"]
    yield "held-out loss", f"{before:.3f} → {after:.3f}  ({(after - before) / before:+.0%})"
    for name, score in found["benchmark"].items():
        yield f"benchmark {name}", f"{score['before']:.1%} → {score['after']:.1%}  (n = {score['n']})"
    yield "question", found["question"]
    yield "answer before", found["answer_before"]
    yield "answer after", found["answer_after"]
    yield "served", f"{found['served_tokens_per_s']:.1f} tokens/s"
    yield "call", found["openai_call"]
    yield "OpenAI client", found["openai_answer"]
    yield found["prompt_service"], found["prompt_service_answer"]
    for name, url in found["urls"].items():
        yield name, url
