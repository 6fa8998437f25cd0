"""Figures about rows, gathered while they stream by."""

import re
from bisect import bisect_left
from typing import Any

from workers.datasets.base import Row
from workers.datasets.texts import CONVERSATIONS, texts

STEPS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
"""Upper ends of the length histogram, in characters; the last bar holds all that is longer."""
CHINESE = re.compile("[\u4e00-\u9fff]")


class Statistics:
    def __init__(self, form: str) -> None:
        self.form = form
        self.rows = 0
        self.characters = 0
        self.shortest: int | None = None
        self.longest = 0
        self.chinese = 0
        self.turns = 0
        self.bars = [0] * (len(STEPS) + 1)

    def add(self, row: Row) -> None:
        pieces = texts(row, self.form)
        length = sum(map(len, pieces))
        self.rows += 1
        self.characters += length
        self.shortest = length if self.shortest is None else min(self.shortest, length)
        self.longest = max(self.longest, length)
        self.chinese += any(CHINESE.search(piece) is not None for piece in pieces)
        self.turns += sum(len(row[column]) for column in CONVERSATIONS.get(self.form, ()))
        self.bars[bisect_left(STEPS, length)] += 1

    def as_dict(self) -> dict[str, Any]:
        """characters: of all texts of a row together; chinese_rows: rows with Chinese characters."""
        rows = max(self.rows, 1)
        return {
            "characters": self.characters,
            "characters_mean": round(self.characters / rows, 1),
            "characters_min": self.shortest or 0,
            "characters_max": self.longest,
            "messages_mean": round(self.turns / rows, 2),
            "chinese_rows": self.chinese,
            "histogram": [
                {"up_to": step, "rows": count} for step, count in zip((*STEPS, None), self.bars, strict=True)
            ],
        }
