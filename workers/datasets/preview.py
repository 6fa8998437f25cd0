"""What an import would make of a file, before anything is stored.

`python -m workers.datasets.preview FILE` prints it as JSON. The web calls `preview` in a killable child, since
files are hostile.
"""

import argparse
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from workers.datasets.base import BadRow, as_json, formats
from workers.datasets.detection import KIND_OF, choose_format, columns_found, sample
from workers.datasets.importing import normalised
from workers.datasets.reading import open_source
from workers.datasets.texts import shortened, shown
from workers.errors import AifsError

ROWS_SHOWN = 20
ROWS_READ = 500
BAD_SHOWN = 20


def preview(payload: dict[str, Any]) -> dict[str, Any]:
    """payload: {"path", "filename", "format", "encoding", "kind"}, all but the path optional.

    Returns the container, encoding, format and form found, the first rows (`parts` as people read them, `raw` as they
    came), the bad rows among the first 500 with number, reason and detail, and `more`: whether the file goes on.
    Raises InvalidInput as the import would.
    """
    source = open_source(Path(payload["path"]), payload.get("filename", ""), payload.get("encoding") or "auto")
    first = sample(source)
    name = choose_format(payload.get("format") or "auto", first, source, payload.get("kind") or "auto")
    plug = formats.get(name)
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    reasons: dict[str, int] = {}
    read = kept = 0
    rows = source.rows()
    for read, row in enumerate(islice(rows, ROWS_READ), 1):
        normal = normalised(plug.normalise, row)
        if isinstance(normal, BadRow):
            reasons[normal.reason] = reasons.get(normal.reason, 0) + 1
            raw = shortened(normal.raw, 300)
            bad.append({"row": read, "reason": normal.reason, "detail": shortened(normal.detail, 200), "raw": raw})
        else:
            kept += 1
            if len(good) < ROWS_SHOWN:
                good.append({"row": read, "parts": shown(normal, plug.gives), "raw": shortened(as_json(row), 1000)})
    more = next(rows, None) is not None if read == ROWS_READ else False
    return {
        **source.described(),
        "format": name,
        "form": plug.gives,
        "kind": KIND_OF.get(plug.gives, "general"),
        "columns": columns_found(first),
        "rows": good,
        "rows_read": read,
        "rows_good": kept,
        "quarantined": sum(reasons.values()),
        "reasons": reasons,
        "bad": bad[:BAD_SHOWN],
        "more": more,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.datasets.preview", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--format", default="auto")
    parser.add_argument("--encoding", default="auto")
    parser.add_argument("--kind", default="auto")
    arguments = parser.parse_args(argv)
    try:
        found = preview({**vars(arguments), "path": str(arguments.path)})
    except AifsError as error:
        print(json.dumps({"error": {**error.as_event(), "text": str(error)}}, ensure_ascii=False))
        return 1
    print(json.dumps(found, ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
