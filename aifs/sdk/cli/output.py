"""What a command prints: a table or words for people, one JSON line for programs."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200
"""Columns of a table that goes to a pipe or a file; nothing is cut off there."""
ID_WIDTH = 36


class Output:
    """json: only the result goes to standard output, as the last line."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        width = None if sys.stdout.isatty() else PIPE_WIDTH
        self.console = Console(highlight=False, markup=False, soft_wrap=True, width=width)
        self.stderr = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

    @property
    def lively(self) -> bool:
        """Whether a person watches: then progress is drawn."""
        return sys.stderr.isatty()

    def result(self, value: Any, words: str | None = None) -> None:
        """The result of a command: JSON, or a sentence or name–value lines."""
        if self.json:
            print(json.dumps(value, ensure_ascii=False, default=str), flush=True)
        elif words is not None:
            self.console.print(words)
        else:
            self.console.print(_facts(value))

    def rows(self, rows: Iterable[dict[str, Any]], columns: dict[str, str | Callable[[dict[str, Any]], Any]]) -> None:
        """A list: JSON array, or a table. columns: heading → field name or function."""
        rows = list(rows)
        if self.json:
            print(json.dumps(rows, ensure_ascii=False, default=str), flush=True)
            return
        table = Table(box=None, header_style="bold")
        for heading in columns:
            table.add_column(heading, min_width=ID_WIDTH if heading == "ID" else None)
        for row in rows:
            cells = [row.get(get) if isinstance(get, str) else get(row) for get in columns.values()]
            table.add_row(*[Text(short(cell)) for cell in cells])
        if rows:
            self.console.print(table)
        else:
            self.stderr.print("Nothing yet.")

    def note(self, words: str) -> None:
        """Something on the way; never in the result."""
        self.stderr.print(words)

    def complain(self, words: str) -> None:
        self.stderr.print(f"aifs: {words}")

    def uploading(self) -> "UploadBar":
        return UploadBar(self)


class UploadBar:
    """A bar of bytes while a file goes up: `with out.uploading() as told: …`."""

    def __init__(self, out: Output) -> None:
        columns = (TextColumn("upload"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bar = Progress(*columns, console=out.stderr, transient=True, disable=not out.lively)

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.start()
        task = self._bar.add_task("upload", total=None)
        return lambda sent, size: self._bar.update(task, completed=sent, total=size)

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()


def short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _facts(value: Any) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, item in value.items() if isinstance(value, dict) else [("", value)]:
        table.add_row(Text(name), Text(short(item)))
    return table
