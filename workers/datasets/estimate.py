"""How long an import and a cleaning will take and how much memory they will need, told before they start.

Import:

    time      start + bytes ÷ speed of that kind of file, which the ending of its name tells. Nobody has looked into the
              file yet: one of many short rows, or of many columns, takes longer than one of a few long rows.
    memory    floor: rows come and go in batches, whatever the size of the file

Cleaning:

    time      start + rows × (reading and writing one, and what each step takes of it) + characters × the same
    memory    floor + rows × what the steps remember of each

What a step and a kind of file take stands beside them (base.py). No pyarrow in here.
"""

from dataclasses import dataclass
from typing import Any

from workers.datasets.base import Cost, Step, containers, steps
from workers.datasets.clean import Params as CleanParams
from workers.datasets.reading import suffix_of
from workers.estimates import MIB, Estimate, Figure, FromFile
from workers.words import marked as _

START_S = 1
"""Beginning and ending a process; nearly all there is where rows are few."""
FLOOR_MIB = 200
"""Python, Arrow, and the rows that are held at a time."""
PACKED = 3
"""A gzip file holds so many times its size in rows."""
UNKNOWN_BYTES_PER_S = 3e6
PASSING = Cost(row_us=3, character_ns=30)
"""A row that is read, counted and written again, whatever is done to it,"""
VALUE_US = 4
"""and each of its values."""
VALUES = 3
"""Of a row that is no row of a table: an id, its text or turns, and what is left over."""


class Import(FromFile):
    @property
    def note(self) -> str:
        return _("Reckoned from the size of the file; many short rows or many columns make it slower.")


@dataclass(frozen=True, kw_only=True)
class Cleaning(Estimate):
    rows: int
    characters: int

    @property
    def figures(self) -> list[Figure]:
        return [Figure(_("Rows"), self.rows), Figure(_("Characters"), self.characters, "compact")]

    @property
    def note(self) -> str:
        return _("Reckoned for all rows from their number, their length and the chosen steps.")


def of_import(filename: str, size_bytes: int) -> Import:
    suffix = suffix_of(filename)
    known = (kind.bytes_per_s for _name, kind in containers.items() if suffix in kind.suffixes)
    size = size_bytes * (PACKED if filename.lower().endswith(".gz") else 1)
    reading = size / next(known, UNKNOWN_BYTES_PER_S)
    return Import(seconds=round(START_S + reading), start_s=START_S, memory_mib=FLOOR_MIB, size_bytes=size_bytes)


def of_cleaning(params: CleanParams, *, dataset: dict[str, Any]) -> Cleaning:
    """dataset: rows, report, size_bytes, format and columns of a dataset version."""
    rows, figures = int(dataset.get("rows") or 0), (dataset.get("report") or {}).get("statistics") or {}
    characters = int(figures.get("characters") or dataset.get("size_bytes") or 0)
    chinese = min(1.0, figures.get("chinese_rows", 0) / max(1, rows))
    values = len(dataset.get("columns") or ()) if dataset.get("format") == "table" else VALUES
    chosen: list[Step] = [steps.get(options["step"]) for options in params.steps]
    costs = [PASSING, *(step.cost for step in chosen)]
    row_us = values * VALUE_US + sum(cost.row_us for cost in costs)
    character_ns = sum(_character_ns(cost, chinese) for cost in costs)
    return Cleaning(
        start_s=START_S,
        seconds=round(START_S + rows * row_us / 1e6 + characters * character_ns / 1e9),
        memory_mib=FLOOR_MIB + round(rows * sum(cost.kept_bytes for cost in costs) / MIB),
        rows=rows,
        characters=characters,
    )


def _character_ns(cost: Cost, chinese: float) -> float:
    return (1 - chinese) * cost.character_ns + chinese * (cost.chinese_ns or cost.character_ns)
