"""Unicode normal form, full-width letters and digits, invisible characters."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from workers.datasets.base import Cost, Row, Step, Verdict, steps
from workers.datasets.texts import replace_texts
from workers.params import Params as Base
from workers.params import param
from workers.words import marked as _

FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0).isalnum()} | {0x3000: 0x20}
"""Full-width letters and digits and the ideographic space → ASCII. Chinese punctuation is left: it is meant."""
WIDE = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u3000]")
INVISIBLE = re.compile("[\u200b\u200e\u200f\u2060\ufeff\u00ad\ufff9-\ufffb]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Zero-width and control characters. The joiners U+200C and U+200D stay: emoji and some scripts need them."""

MARKS_ON_A_LETTER = 30
"""More are no writing. Source: Stream-Safe Text Format of Unicode Standard Annex #15."""
ASTRAL_MARKS_END = 0x1F000
"""Behind it stand no combining marks."""


class Params(Base):
    form: Literal["NFC", "NFKC"] = param(
        "NFC", label=_("Normal form"), help=_("NFKC also folds ligatures, ① and ㎏ into plain letters.")
    )
    full_width: bool = param(
        True, label=_("Full-width to half-width"), help=_("Letters, digits and spaces; Chinese punctuation stays.")
    )
    remove_invisible: bool = param(True, label=_("Remove invisible characters"))


@lru_cache
def marks() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """(A combining mark, a longer run of them than any letter has): as they come or after they are taken apart."""
    apart = [(chr(code), unicodedata.normalize("NFKD", chr(code))) for code in range(0x300, ASTRAL_MARKS_END)]
    mark = "[" + "".join(character for character, parts in apart if all(map(unicodedata.combining, parts))) + "]"
    return re.compile(mark), re.compile(f"({mark}{{{MARKS_ON_A_LETTER + 1},}})")


def normalised(form: Literal["NFC", "NFKC"], text: str) -> str:
    """The text in its normal form, but for heaps of marks: sorting one takes time with the square of its length."""
    if unicodedata.is_normalized(form, text):
        return text
    mark, heap = marks()
    if not mark.search(text[:: MARKS_ON_A_LETTER + 1]):  # a heap would show in one of so many characters
        return unicodedata.normalize(form, text)
    pieces = heap.split(text)
    pieces[::2] = [unicodedata.normalize(form, piece) for piece in pieces[::2]]
    return "".join(pieces)


def build(params: Params, form: str) -> Verdict:
    def change(text: str) -> str:
        text = normalised(params.form, text)
        if params.full_width and WIDE.search(text):
            text = text.translate(FULL_WIDTH)
        return INVISIBLE.sub("", text) if params.remove_invisible else text

    def verdict(number: int, row: Row) -> Row:
        return replace_texts(row, form, change)

    return verdict


steps.add(
    "unicode_normalise",
    Step(
        _("Normalise Unicode"),
        _("One way to write each character."),
        Params,
        build,
        {},
        order=10,
        default=True,
        cost=Cost(5, 15),
    ),
)
