"""Tables that people open in a spreadsheet."""

import json
import re
from typing import Any

FORMULA = re.compile(r"\s*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would run. Source: OWASP, CSV injection."""
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def guarded(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value.strip()):
        return f"'{value}"
    return value
