"""Kind `datasets.import`: a file becomes a dataset version (the name `import` is taken by Python itself).

Bad rows go to the quarantine with their number and reason; the rest is kept: rows_in = rows + quarantined.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator

from workers.datasets.base import REASONS, BadRow, Row, as_json, formats
from workers.datasets.detection import KIND_OF, choose_format, columns_found, sample
from workers.datasets.reading import Source, open_source
from workers.datasets.statistics import Statistics
from workers.datasets.storing import Survey, VersionWriter, schema_of, write_report
from workers.errors import InvalidInput, NotFound
from workers.kinds import Resources, register
from workers.params import Params as Base
from workers.params import param, upload
from workers.words import marked as _

if TYPE_CHECKING:
    import pyarrow

    from workers.io import RunIO

PROGRESS_ROWS = 500
FOUND = _("Found by looking")
KINDS = {
    "auto": _("As the format tells"),
    "general": _("General"),
    "industry": _("Industry"),
    "private": _("Private"),
    "instruction": _("Instruction"),
    "preference": _("Preference"),
    "evaluation": _("Evaluation"),
}
ENCODINGS = {
    "auto": FOUND,
    "utf-8": "UTF-8",
    "gb18030": "GB18030 (GBK, GB2312)",
    "utf-16": "UTF-16",
    "big5": "Big5",
    "shift_jis": "Shift JIS",
    "euc_kr": "EUC-KR",
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
}


class Params(Base):
    source: str = upload(
        label=_("File"), help=_("JSON, JSONL, CSV, TSV, Parquet or plain text; packed with gzip or not.")
    )
    name: str = param(
        label=_("Dataset name"),
        help=_("A name that is there already gets its next version."),
        simple=True,
        min_length=1,
        max_length=120,
    )
    kind: Literal["auto", "general", "industry", "private", "instruction", "preference", "evaluation"] = param(
        "auto", label=_("What it is for"), simple=True, choices=KINDS
    )
    format: str = param(
        "auto",
        label=_("Format"),
        help=_("How a row is written."),
        choices={"auto": FOUND} | {name: plug.label for name, plug in formats.items()},
    )
    encoding: str = param("auto", label=_("Encoding"), choices=ENCODINGS)
    description: str = param("", label=_("Description"), max_length=2000)

    @field_validator("name")
    @classmethod
    def _trimmed(cls, name: str) -> str:
        if not name.strip():
            raise ValueError(_("A name is needed."))
        return name.strip()

    @field_validator("format")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            if name != "auto":
                formats.get(name)
        except NotFound as error:
            raise ValueError(str(error)) from None
        return name


@register("datasets.import", label=_("Import a dataset"), resources=Resources(cpus=1, memory_mib=2048))
def run(params: Params, io: "RunIO") -> dict[str, Any]:
    """Read a file into a new dataset version. Bad rows go to the quarantine with number and reason, never lost."""
    source = open_input(io.input("source"), io.meta("source"), params.encoding)
    first = sample(source)
    name = choose_format(params.format, first, source, params.kind)
    form = formats.get(name).gives
    io.log(
        _("%(filename)s: %(container)s, encoding %(encoding)s, format %(format)s"), format=name, **source.described()
    )
    out = io.output("dataset")
    schema, survey = columns_for(form, name, source, io)
    statistics = Statistics(form)
    with VersionWriter(out, schema) as writer:
        rows_in = read_into(writer, source, name, survey, statistics, io)
    rows = writer.data.rows
    if io.should_stop:
        return {}
    if not rows:
        raise nothing_usable(source, name, first, rows_in, writer)
    figures = {"rows_in": rows_in, "rows": rows, "quarantined": writer.bad.rows, "dropped": 0}
    report = {
        "made_by": "datasets.import",
        "source": {**source.described(), "format": name},
        **figures,
        "reasons": writer.reasons,
        "schema": {field.name: str(field.type) for field in schema},
        "statistics": statistics.as_dict(),
    }
    write_report(out, report)
    kind = params.kind if params.kind != "auto" else KIND_OF.get(form, "general")
    meta = {"format": form, "source_format": name, "kind": kind, **figures, "columns": schema.names, "report": report}
    io.artefact("dataset", "dataset_version", out, **meta)
    return {"format": form, **figures}


def open_input(folder: Path, meta: dict[str, Any], encoding: str) -> Source:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if len(files) != 1:
        raise InvalidInput(_("Exactly one file is imported at a time; %(count)d were given."), count=len(files))
    return open_source(files[0], str(meta.get("filename") or files[0].name), encoding)


def columns_for(form: str, name: str, source: Source, io: "RunIO") -> tuple["pyarrow.Schema", Survey | None]:
    """Columns of the version. A table is read once before, to learn the types of its columns."""
    if form != "table":
        return schema_of(form), None
    survey = Survey(typed_text=source.container == "csv")
    plug = formats.get(name)
    for number, row in enumerate(source.rows(), 1):
        if number % PROGRESS_ROWS == 0:
            io.progress(source.position / 2, source.size_bytes, _("Reading column types"), "bytes")
        if isinstance(row, BadRow) or io.should_stop:
            continue
        try:
            survey.add(plug.normalise(row))
        except BadRow:
            continue
    return survey.schema(), survey


def read_into(
    writer: VersionWriter, source: Source, name: str, survey: Survey | None, statistics: Statistics, io: "RunIO"
) -> int:
    """Normalise every row into data or quarantine. Returns how many rows came in."""
    plug = formats.get(name)
    number = 0
    for number, row in enumerate(source.rows(), 1):
        normal = normalised(plug.normalise, row)
        if isinstance(normal, BadRow):
            writer.quarantine(number, normal)
        else:
            normal = survey.cast(normal) if survey else normal
            writer.keep(number, normal)
            statistics.add(normal)
        if number % PROGRESS_ROWS == 0:
            done = source.position / 2 + source.size_bytes / 2 if survey else source.position
            io.progress(done, source.size_bytes, _("Reading rows"), "bytes", rows=number)
            if io.should_stop:
                break
    io.progress(source.size_bytes, source.size_bytes, _("Reading rows"), "bytes", rows=number)
    return number


def normalised(normalise: Any, row: Row | BadRow) -> Row | BadRow:
    """The normal row, or why it is none, with the row as it came."""
    if isinstance(row, BadRow):
        return row
    try:
        normal: Row = normalise(row)
        return normal
    except BadRow as bad:
        return BadRow(bad.reason, bad.detail, bad.raw or as_json(row))
    except RecursionError:
        return BadRow("too_deep")


def nothing_usable(source: Source, name: str, first: list[Row], rows_in: int, writer: VersionWriter) -> InvalidInput:
    """Why no dataset could be made: the first bad row speaks for all."""
    if not rows_in:
        return InvalidInput(
            _("%(file)s holds no rows."),
            hint=_("A table needs at least one row below its headings. Mend the file and import it again."),
            code="no_rows",
            file=source.filename,
        )
    number, bad = writer.first_bad or (0, BadRow("empty_field"))
    return InvalidInput(
        _(
            "None of the %(rows_in)d rows of %(file)s can be used. Row %(row)d: %(reason)s (%(detail)s). "
            "Columns found: %(found)s. Needed for %(format)s: %(needed)s."
        ),
        hint=_("Mend the file, or choose another format or encoding."),
        code="no_usable_rows",
        rows_in=rows_in,
        file=source.filename,
        row=number,
        reason=REASONS[bad.reason],
        detail=bad.detail or "–",
        found=columns_found(first) or "–",
        format=name,
        needed=formats.get(name).needs,
        reasons=writer.reasons,
    )
