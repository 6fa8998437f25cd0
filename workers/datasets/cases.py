"""Test cases: conversations that people keep one by one, with the answer they expect at the end of each.

Rows of a version never change, so a set with one more is written anew; such a set stays small.
"""

from pathlib import Path
from typing import Any

from workers.datasets.base import REASONS, BadRow, Row, formats
from workers.datasets.statistics import Statistics
from workers.datasets.storing import Table, quarantine_schema, schema_of, write_report
from workers.errors import InvalidInput
from workers.words import marked as _

FORM = "messages"
ROWS_MAX = 1000
CHARACTERS_MAX = 16 << 20
"""Of all rows together; larger sets come by an import."""


def case_row(messages: Any) -> Row:
    """The row that a conversation makes. Raises InvalidInput naming what is wrong with its messages."""
    try:
        row = formats.get("openai").normalise({"messages": messages})
        last = row["messages"][-1]
        if last["role"] != "assistant" or not last["content"].strip():
            raise BadRow("no_answer", f"messages[{len(row['messages']) - 1}]")
    except BadRow as bad:
        raise _no_case(bad) from None
    return row


def _no_case(bad: BadRow) -> InvalidInput:
    text = _("This is no test case: %(reason)s.")
    data = {"reason": REASONS[bad.reason], "detail": bad.detail or "–"}
    errors = [{"field": "messages", "message": text, "data": data}]
    return InvalidInput(text, code="no_test_case", errors=errors, **data)


def is_full(rows: int, report: dict[str, Any]) -> bool:
    """No row more can be added to a version with so many rows and this report."""
    return rows >= ROWS_MAX or (report.get("statistics") or {}).get("characters", 0) >= CHARACTERS_MAX


def write_cases(out: Path, rows: list[Row]) -> dict[str, Any]:
    """Write the files of a version that holds these rows. Returns its meta, as `datasets.import` announces it.

    Raises InvalidInput for a row that no file can hold.
    """
    schema = schema_of(FORM)
    statistics = Statistics(FORM)
    table = Table(out / "data.parquet", schema)
    for number, row in enumerate(rows, 1):
        table.add(number, row)
        statistics.add(row)
    refused = table.flush()
    table.close()
    if refused:
        raise _no_case(refused[0][1])
    Table(out / "quarantine.parquet", quarantine_schema()).close()
    figures = {"rows_in": len(rows), "rows": len(rows), "quarantined": 0, "dropped": 0}
    report = {"made_by": "datasets.add_case", **figures, "reasons": {}, "statistics": statistics.as_dict()}
    write_report(out, report)
    return {"format": FORM, **figures, "columns": schema.names, "report": report}
