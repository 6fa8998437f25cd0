"""HTML tags and entities in text that came from web pages."""

import re
from html import unescape

from workers.datasets.base import Cost, Row, Step, Verdict, steps
from workers.datasets.texts import replace_texts
from workers.params import Params as Base
from workers.words import marked as _

OPENING = re.compile(r"<(?:(script)\b|(style)\b|!--)", re.IGNORECASE)
CLOSING = {
    "script": re.compile(r"</script\s*>", re.IGNORECASE),
    "style": re.compile(r"</style\s*>", re.IGNORECASE),
    "comment": re.compile(r"-->"),
}
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
        text = INLINE.sub("", BLOCK.sub("\n", without_hidden(text)))
    return ENTITY.sub(lambda match: unescape(match.group()), text) if "&" in text else text


def without_hidden(text: str) -> str:
    """The text without scripts, styles and comments; what is never closed stays.

    Linear: a kind that nothing closes from here on is not looked for again, where one pattern for all of it would read
    to the end of the row from every `<script>`.
    """
    kept, at, seek, open_kinds = [], 0, 0, set(CLOSING)
    while open_kinds and (opening := OPENING.search(text, seek)):
        seek = opening.end()
        kind = ("comment", "script", "style")[opening.lastindex or 0]
        if kind not in open_kinds:
            continue
        start = seek if kind == "comment" else text.find(">", seek) + 1
        closing = CLOSING[kind].search(text, start) if start else None
        if closing is None:
            open_kinds.discard(kind)
            continue
        kept.append(text[at : opening.start()])
        at = seek = closing.end()
    return "".join([*kept, text[at:]])


def build(params: Params, form: str) -> Verdict:
    def verdict(number: int, row: Row) -> Row:
        return replace_texts(row, form, strip_html)

    return verdict


steps.add(
    "html",
    Step(
        _("Remove HTML"),
        _("Take tags and entities out of texts from web pages."),
        Params,
        build,
        {},
        order=20,
        cost=Cost(4, 8),
    ),
)
