"""Rows that are too short or too long."""

from typing import Literal

from pydantic import model_validator

from workers.datasets.base import Cost, Drop, Row, Step, Verdict, steps
from workers.datasets.texts import texts
from workers.params import Params as Base
from workers.params import param
from workers.words import marked as _


class Params(Base):
    part: Literal["all", "question", "answer"] = param(
        "all", label=_("Measure"), help=_("The whole row, what is asked, or what is answered.")
    )
    min_characters: int = param(4, label=_("At least"), unit=_("characters"), ge=0, le=1_000_000)
    max_characters: int = param(32_768, label=_("At most"), unit=_("characters"), ge=1, le=8_000_000)

    @model_validator(mode="after")
    def _ordered(self) -> "Params":
        if self.min_characters > self.max_characters:
            raise ValueError(_("The lower bound is above the upper one."))
        return self


def build(params: Params, form: str) -> Verdict:
    def verdict(number: int, row: Row) -> Row | Drop:
        length = sum(map(len, texts(row, form, params.part)))
        if length < params.min_characters:
            return Drop("too_short", str(length))
        return Drop("too_long", str(length)) if length > params.max_characters else row

    return verdict


steps.add(
    "length_filter",
    Step(
        _("Filter by length"),
        _("Drop rows with too little or too much text."),
        Params,
        build,
        {"too_short": _("Too short"), "too_long": _("Too long")},
        order=40,
        default=True,
        cost=Cost(3, 0),
    ),
)
