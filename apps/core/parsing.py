"""Request bodies that neither size nor depth can upset."""

import io
from typing import Any

from django.utils.translation import gettext_noop as _
from rest_framework.parsers import JSONParser

from apps.core.errors import AifsError, InvalidInput

LIMIT_BYTES = 8 << 20
"""Files come by upload; what stands in a JSON body is never this large."""


class TooLarge(AifsError):
    """The body is larger than any call needs."""

    status, code = 413, "too_large"


class SafeJSONParser(JSONParser):
    """JSON without NaN or Infinity, at most 8 MiB; nesting beyond the interpreter's depth is a 400, not a crash."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(LIMIT_BYTES + 1)
        if len(body) > LIMIT_BYTES:
            raise TooLarge(
                _("The body is larger than %(limit)d bytes."),
                hint=_("Send files to /api/v1/uploads/ and name the id of the upload."),
                limit=LIMIT_BYTES,
            )
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise InvalidInput(_("The JSON is nested too deeply.")) from None
