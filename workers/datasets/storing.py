"""Write the files of a dataset version: `data.parquet` and `quarantine.parquet`, `dropped.parquet`, `report.json`.

pyarrow is imported where it is used, so that the web can read every kind's parameters without it.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from workers.datasets.base import BadRow, Row, as_json

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 1000
"""Rows of a row group: a page of rows is read without touching more."""
BATCH_CHARS = 16 << 20
"""Fewer rows where they are so long: a thousand of the longest that are taken would be gigabytes."""
INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})")
DECIMAL = re.compile(r"[-+]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,2})?")
MISSING = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"}
"""What a numeric column of a CSV file may hold for "no value"."""
WIDER = ("null", "bool", "int64", "double", "string")


def schema_of(form: str) -> "pyarrow.Schema":
    """Columns of a normal form; a table's come from `Survey`."""
    import pyarrow as pa

    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    columns: dict[str, list[tuple[str, Any]]] = {
        "messages": [("messages", messages)],
        "text": [("text", pa.string())],
        "preference": [("prompt", messages), ("chosen", messages), ("rejected", messages)],
        "choices": [
            ("question", pa.string()),
            ("choices", pa.list_(pa.string())),
            ("answer", pa.int32()),
            ("subject", pa.string()),
        ],
    }
    return pa.schema([("id", pa.string()), *columns[form], ("extra", pa.string())])


def quarantine_schema() -> "pyarrow.Schema":
    import pyarrow as pa

    return pa.schema([("row", pa.int64()), ("reason", pa.string()), ("detail", pa.string()), ("raw", pa.string())])


def dropped_schema() -> "pyarrow.Schema":
    import pyarrow as pa

    names = ("step", "reason", "detail", "data")
    return pa.schema([("row", pa.int64()), *((name, pa.string()) for name in names)])


def characters(value: Any) -> int:
    """Of all texts in it, however deep."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(characters, value.values()))
    return sum(map(characters, value)) if isinstance(value, list) else 0


class Table:
    """A Parquet file that grows batch by batch. Rows that Arrow refuses are handed back by `flush`."""

    def __init__(self, path: Path, schema: "pyarrow.Schema") -> None:
        from pyarrow import parquet

        self.schema = schema
        self.rows = 0
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd")
        self._held: list[tuple[int, Row]] = []
        self._characters = 0

    @property
    def full(self) -> bool:
        return len(self._held) >= BATCH_ROWS or self._characters >= BATCH_CHARS

    def add(self, number: int, row: Row) -> None:
        self._held.append((number, row))
        self._characters += characters(row)

    def flush(self) -> list[tuple[int, BadRow]]:
        """Write what is held. Returns the rows that do not fit the columns, with their numbers."""
        import pyarrow as pa

        bad: list[tuple[int, BadRow]] = []
        rows = [row for _number, row in self._held]
        try:
            batch = pa.Table.from_pylist(rows, schema=self.schema)
        except (pa.ArrowException, UnicodeError, OverflowError, TypeError, ValueError):
            good = []
            for number, row in self._held:
                try:
                    pa.Table.from_pylist([row], schema=self.schema)
                    good.append(row)
                except (pa.ArrowException, UnicodeError, OverflowError, TypeError, ValueError) as error:
                    bad.append((number, BadRow("wrong_type", str(error)[:200], as_json(row)[:2000])))
            batch = pa.Table.from_pylist(good, schema=self.schema)
        if batch.num_rows:
            self._writer.write_table(batch)
            self.rows += batch.num_rows
        self._held, self._characters = [], 0
        return bad

    def close(self) -> None:
        self._writer.close()


class VersionWriter:
    """Rows and quarantine of one version, side by side; every row that is given in ends in one of them."""

    def __init__(self, directory: Path, schema: "pyarrow.Schema") -> None:
        self.data = Table(directory / "data.parquet", schema)
        self.bad = Table(directory / "quarantine.parquet", quarantine_schema())
        self.reasons: dict[str, int] = {}
        self.first_bad: tuple[int, BadRow] | None = None

    def __enter__(self) -> "VersionWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self.data.close()
        self.bad.close()

    def keep(self, number: int, row: Row) -> None:
        self.data.add(number, row)
        if self.data.full:
            self._flush()

    def quarantine(self, number: int, bad: BadRow) -> None:
        self.reasons[bad.reason] = self.reasons.get(bad.reason, 0) + 1
        if self.first_bad is None:
            self.first_bad = (number, bad)
        self.bad.add(number, {"row": number, "reason": bad.reason, "detail": bad.detail, "raw": bad.raw})
        if self.bad.full:
            self.bad.flush()

    def _flush(self) -> None:
        for number, bad in self.data.flush():
            self.quarantine(number, bad)
        self.bad.flush()


class Survey:
    """Columns of a table and the narrowest type that holds all their values. typed_text: strings that look like numbers
    become numbers (CSV knows no types); `007` and longer numbers than 18 digits stay text."""

    def __init__(self, typed_text: bool) -> None:
        self.typed_text = typed_text
        self.kinds: dict[str, str] = {}

    def add(self, row: Row) -> None:
        for name, value in row.items():
            kind = self.kind_of(value)
            known = self.kinds.setdefault(name, "null")
            if WIDER.index(kind) > WIDER.index(known):
                self.kinds[name] = "string" if {kind, known} in ({"bool", "int64"}, {"bool", "double"}) else kind
            elif kind == "bool" and known in ("int64", "double"):
                self.kinds[name] = "string"

    def kind_of(self, value: Any) -> str:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "bool"
        if isinstance(value, int):
            return "int64" if -(2**63) <= value < 2**63 else "string"
        if isinstance(value, float):
            return "double"
        if isinstance(value, str) and self.typed_text:
            text = value.strip()
            if text in MISSING:
                return "null"
            if INTEGER.fullmatch(text):
                return "int64"
            return "double" if DECIMAL.fullmatch(text) and not leading_zero(text) else "string"
        return "string"

    def schema(self) -> "pyarrow.Schema":
        import pyarrow as pa

        types = {"bool": pa.bool_(), "int64": pa.int64(), "double": pa.float64()}
        return pa.schema([(name, types.get(kind, pa.string())) for name, kind in self.kinds.items()])

    def cast(self, row: Row) -> Row:
        return {name: self._cast(value, self.kinds[name]) for name, value in row.items()}

    def _cast(self, value: Any, kind: str) -> Any:
        if value is None:
            return None
        if kind in ("string", "null"):
            return value if isinstance(value, str) else as_json(value) if isinstance(value, bool) else str(value)
        if isinstance(value, str):
            text = value.strip()
            return None if text in MISSING else int(text) if kind == "int64" else float(text)
        return float(value) if kind == "double" else value


def leading_zero(text: str) -> bool:
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def write_report(directory: Path, report: dict[str, Any]) -> None:
    (directory / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1))


def read_rows(path: Path, start: int = 0) -> Iterator[Row]:
    """Rows of a Parquet file, batch by batch."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        seen = 0
        for group in range(file.metadata.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if seen + count > start:
                rows: Iterable[Row] = file.read_row_group(group).to_pylist()
                yield from list(rows)[max(0, start - seen) :]
            seen += count
