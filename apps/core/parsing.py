"""Request bodies that neither size nor depth can upset."""

import io
import json
import math
from typing import Any

from django.utils.translation import gettext_noop as _
from rest_framework.parsers import JSONParser

from apps.core.errors import AifsError, InvalidInput

LIMIT_BYTES = 8 << 20
"""Files come by upload; what stands in a JSON body is never this large."""


class TooLarge(AifsError):
    """The body is larger than any call needs."""

    status, code = 413, "too_large"


DEPTH = 100


class SafeJSONParser(JSONParser):
    """A JSON object of at most 8 MiB that a database can hold: no NaN or Infinity, no NUL, no half of a surrogate pair,
    at most DEPTH levels."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(LIMIT_BYTES + 1)
        if len(body) > LIMIT_BYTES:
            raise TooLarge(
                _("The body is larger than %(limit)d bytes."),
                hint=_("Send files to /api/v1/uploads/ and name the id of the upload."),
                limit=LIMIT_BYTES,
            )
        try:
            found = super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise InvalidInput(TOO_DEEP) from None
        if not isinstance(found, dict):
            raise InvalidInput(NO_OBJECT)
        check_storable(found)
        return found


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in the body of a page's request, as strictly as the API reads one. Raises InvalidInput."""
    try:
        found = json.loads(raw)
    except RecursionError:
        raise InvalidInput(TOO_DEEP) from None
    except ValueError:
        raise InvalidInput(_("The request body is not JSON.")) from None
    if not isinstance(found, dict):
        raise InvalidInput(NO_OBJECT)
    check_storable(found)
    return found


NO_OBJECT = _("The request body must be a JSON object.")
TOO_DEEP = _("The JSON is nested too deeply.")


def check_storable(value: Any) -> None:
    """Raises InvalidInput for what JSON can spell and PostgreSQL cannot store. Level by level, so that no depth of
    nesting is our own."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH:
            raise InvalidInput(TOO_DEEP)
        below: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                below += [*part.keys(), *part.values()]
            elif isinstance(part, list):
                below += part
            elif isinstance(part, str):
                _check_text(part)
            elif isinstance(part, float) and not math.isfinite(part):
                raise InvalidInput(_("A number is too large."))
        level = below


def _check_text(text: str) -> None:
    try:
        bad = "\0" in text or (not text.isascii() and not text.encode())
    except UnicodeEncodeError:
        bad = True
    if bad:
        raise InvalidInput(_("A text holds characters that cannot be stored (NUL, or half of a surrogate pair)."))
