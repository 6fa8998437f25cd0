"""The reader's language without Django: nothing of a request's path waits for it, and English costs nothing."""

import gettext
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

LOCALE = Path(__file__).resolve().parents[3] / "locale"
CATALOGUES = {"zh": "zh_Hans"}
"""Languages that we have beside English, and where their texts lie."""
READ = 500
"""Characters of the header; what comes after them is nobody's first choice."""
CHOICE = re.compile(r"\s*([A-Za-z]{2,8})(?:-[\w-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


@lru_cache(maxsize=len(CATALOGUES))
def catalogue(language: str) -> gettext.NullTranslations:
    """Read once, at the gateway's start; without its file the texts stay English."""
    return gettext.translation("django", LOCALE, [CATALOGUES[language]], fallback=True)


def preferred(header: str) -> str:
    """Of the languages that we have, the one an `Accept-Language` header likes best; `en` when it says nothing."""
    best, language = 0.0, "en"
    for choice in header[:READ].split(","):
        found = CHOICE.fullmatch(choice)
        weight = float(found[2] or 1) if found else 0.0
        if found and weight > best and found[1].lower() in ("en", *CATALOGUES):
            best, language = weight, found[1].lower()
    return language


def say(text: str, data: Mapping[str, Any], language: str) -> str:
    """A marked text with its places filled. What an engine said itself has no data and is in no catalogue: it stays."""
    words = catalogue(language).gettext(text) if language in CATALOGUES and text else text
    return words % data if data else words
