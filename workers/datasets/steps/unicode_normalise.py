"""Unicode normal form, full-width letters and digits, invisible characters."""

import re
import unicodedata
from typing import Literal

from workers.datasets.base import Row, Step, Verdict, steps
from workers.datasets.texts import replace_texts
from workers.params import Params as Base
from workers.params import param
from workers.words import marked as _

FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0).isalnum()} | {0x3000: 0x20}
"""Full-width letters and digits and the ideographic space → ASCII. Chinese punctuation is left: it is meant."""
WIDE = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u3000]")
INVISIBLE = re.compile("[\u200b\u200e\u200f\u2060\ufeff\u00ad\ufff9-\ufffb]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Zero-width and control characters. The joiners U+200C and U+200D stay: emoji and some scripts need them."""


class Params(Base):
    form: Literal["NFC", "NFKC"] = param(
        "NFC", label=_("Normal form"), help=_("NFKC also folds ligatures, ① and ㎏ into plain letters.")
    )
    full_width: bool = param(
        True, label=_("Full-width to half-width"), help=_("Letters, digits and spaces; Chinese punctuation stays.")
    )
    remove_invisible: bool = param(True, label=_("Remove invisible characters"))


def build(params: Params, form: str) -> Verdict:
    def change(text: str) -> str:
        text = unicodedata.normalize(params.form, text)
        if params.full_width and WIDE.search(text):
            text = text.translate(FULL_WIDTH)
        return INVISIBLE.sub("", text) if params.remove_invisible else text

    def verdict(number: int, row: Row) -> Row:
        return replace_texts(row, form, change)

    return verdict


steps.add(
    "unicode_normalise",
    Step(_("Normalise Unicode"), _("One way to write each character."), Params, build, {}, order=10, default=True),
)
