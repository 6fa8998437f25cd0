"""HTML tags and entities in text that came from web pages."""

import re
from html import unescape

from workers.datasets.base import Row, Step, Verdict, steps
from workers.datasets.texts import replace_texts
from workers.params import Params as Base
from workers.words import marked as _

HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
BLOCK = re.compile(
    r"</?(?:p|br|div|li|ul|ol|tr|table|h[1-6]|blockquote|section|article|hr|pre)\b[^<>]*>", re.IGNORECASE
)
INLINE = re.compile(
    r"</?(?:a|b|i|u|s|em|strong|span|font|small|big|sub|sup|code|td|th|tbody|thead|img|center|label|input|button|form"
    r"|html|body|head|meta|link|title|nav|footer|header|main|iframe|abbr|cite|del|ins|mark|q)\b[^<>]*>",
    re.IGNORECASE,
)
ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


class Params(Base):
    pass


def strip_html(text: str) -> str:
    """Only names that HTML knows are tags: `<image>`, `List<int>` and `a < b` stay."""
    if "<" in text:
        text = INLINE.sub("", BLOCK.sub("\n", HIDDEN.sub("", text)))
    return ENTITY.sub(lambda match: unescape(match.group()), text) if "&" in text else text


def build(params: Params, form: str) -> Verdict:
    def verdict(number: int, row: Row) -> Row:
        return replace_texts(row, form, strip_html)

    return verdict


steps.add(
    "html",
    Step(_("Remove HTML"), _("Take tags and entities out of texts from web pages."), Params, build, {}, order=20),
)
