"""Which format rows are in, and whether a dataset of the wanted kind can be made of them."""

from collections import Counter

from workers.datasets.base import BadRow, Format, Row, formats
from workers.datasets.reading import Source
from workers.errors import InvalidInput
from workers.words import marked as _

SAMPLE_ROWS = 200
KINDS = {"instruction": ("messages",), "preference": ("preference",), "evaluation": ("choices", "messages")}
"""Forms a dataset of a kind may have; kinds not named here take any."""
KIND_OF = {"messages": "instruction", "preference": "preference", "choices": "evaluation"}
"""The kind of a dataset when nobody says: by its form."""


def sample(source: Source, count: int = SAMPLE_ROWS) -> list[Row]:
    """The first good rows."""
    good: list[Row] = []
    for seen, row in enumerate(source.rows()):
        if not isinstance(row, BadRow):
            good.append(row)
        if len(good) >= count or seen > count * 50:
            break
    return good


def choose_format(name: str, rows: list[Row], source: Source, kind: str = "auto") -> str:
    """The name of the format the rows are in. name: `auto`, or what the user says.

    Raises InvalidInput that names the columns found and the fields needed, when a dataset of that kind needs others.
    """
    if name != "auto":
        formats.get(name)
        return name
    ordered = sorted(formats.items(), key=lambda item: item[1].order)
    for candidate, plug in ordered:
        if rows and sum(map(plug.recognises, rows)) * 2 >= len(rows) and plug.gives in KINDS.get(kind, (plug.gives,)):
            return candidate
    if not rows and kind not in KINDS:
        return "table"
    raise fits_nothing(rows, source, kind)


def fits_nothing(rows: list[Row], source: Source, kind: str) -> InvalidInput:
    wanted = [plug for _name, plug in formats.items() if plug.gives in KINDS.get(kind, (plug.gives,))]
    return InvalidInput(
        _("The columns of %(file)s (%(found)s) fit no format of this kind. Needed: %(needed)s."),
        hint=_("Rename the columns, or import the file as general data."),
        code="fits_no_format",
        file=source.filename,
        found=columns_found(rows) or "–",
        needed=needs(wanted),
    )


def needs(plugs: list[Format]) -> str:
    return "; ".join(plug.needs for plug in sorted(plugs, key=lambda plug: plug.order))


def columns_found(rows: list[Row], limit: int = 20) -> str:
    counted = Counter(name for row in rows for name in row)
    return ", ".join(str(name)[:60] for name, _count in counted.most_common(limit))
