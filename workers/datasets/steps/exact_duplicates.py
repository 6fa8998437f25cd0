"""The same row again."""

import hashlib
import re
from typing import Literal

from workers.datasets.base import Cost, Drop, Row, Step, Verdict, steps
from workers.datasets.texts import texts
from workers.params import Params as Base
from workers.params import param
from workers.words import marked as _

SPACE = re.compile(r"\s+")


class Params(Base):
    part: Literal["all", "question"] = param(
        "all", label=_("Compare"), help=_("The whole row, or only what is asked: then the first answer is kept.")
    )
    ignore_case: bool = param(True, label=_("Ignore capitals and spaces"))


def build(params: Params, form: str) -> Verdict:
    """Keeps 16 bytes a row in memory, so the first of equal rows stays and the result does not depend on luck."""
    seen: dict[bytes, int] = {}

    def verdict(number: int, row: Row) -> Row | Drop:
        pieces = texts(row, form, params.part)
        if params.ignore_case:
            pieces = [SPACE.sub(" ", piece).strip().casefold() for piece in pieces]
        key = hashlib.blake2b("\x1f".join(pieces).encode(), digest_size=16).digest()
        first = seen.setdefault(key, number)
        return row if first == number else Drop("duplicate", str(first))

    return verdict


steps.add(
    "exact_duplicates",
    Step(
        _("Remove exact duplicates"),
        _("Keep the first of equal rows."),
        Params,
        build,
        {"duplicate": _("Same as an earlier row")},
        order=50,
        default=True,
        cost=Cost(8, 50, kept_bytes=120),
    ),
)
