"""Personal data: what it finds is replaced by a sign that says what stood there."""

import re

from workers.datasets.base import Cost, Row, Step, Verdict, steps
from workers.datasets.texts import replace_texts
from workers.params import Params as Base
from workers.params import param
from workers.words import marked as _

ID_CARD = re.compile(r"(?<!\d)[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)")
MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")
BANK_CARD = re.compile(r"(?<!\d)[3-6]\d{3}(?:[- ]?\d{4}){2,3}(?:[- ]?\d{1,3})?(?!\d)")
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_CHECK = "10X98765432"


class Params(Base):
    id_card: bool = param(True, label=_("Chinese ID card numbers"))
    mobile: bool = param(True, label=_("Mobile numbers"))
    bank_card: bool = param(True, label=_("Bank card numbers"))
    email: bool = param(True, label=_("E-mail addresses"))


def is_id_card(text: str) -> bool:
    """Check character of the 18-digit number. Source: GB 11643-1999 (ISO 7064 MOD 11-2)."""
    total = sum(weight * int(digit) for weight, digit in zip(ID_WEIGHTS, text, strict=False))
    return ID_CHECK[total % 11] == text[-1].upper()


def is_bank_card(text: str) -> bool:
    """Luhn's check digit. Source: ISO/IEC 7812-1, annex B."""
    digits = [int(character) for character in text if character.isdigit()][::-1]
    doubled = [sum(divmod(digit * 2, 10)) for digit in digits[1::2]]
    return len(digits) >= 13 and (sum(digits[0::2]) + sum(doubled)) % 10 == 0


def build(params: Params, form: str) -> Verdict:
    def change(text: str) -> str:
        if params.id_card:
            text = ID_CARD.sub(lambda match: "[ID_CARD]" if is_id_card(match.group()) else match.group(), text)
        if params.bank_card:
            text = BANK_CARD.sub(lambda match: "[BANK_CARD]" if is_bank_card(match.group()) else match.group(), text)
        if params.mobile:
            text = MOBILE.sub("[MOBILE]", text)
        return EMAIL.sub("[EMAIL]", text) if params.email else text

    def verdict(number: int, row: Row) -> Row:
        return replace_texts(row, form, change)

    return verdict


steps.add(
    "mask_pii",
    Step(
        _("Mask personal data"),
        _("Replace ID card, mobile and bank card numbers and e-mail addresses by signs."),
        Params,
        build,
        {},
        order=25,
        cost=Cost(8, 155),
    ),
)
