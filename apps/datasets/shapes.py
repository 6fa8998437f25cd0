"""Rows, reports and differences in the shape that templates show: plain lists and dicts, texts cut to what fits."""

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core import artefact_types
from apps.core.models import Artefact
from workers.datasets.base import REASONS, containers, formats, steps
from workers.datasets.texts import shortened, shown
from workers.errors import NotFound

LABELS = {
    "system": _("System prompt"),
    "user": _("User"),
    "assistant": _("Assistant"),
    "tool": _("Tool"),
    "chosen": _("Chosen"),
    "rejected": _("Rejected"),
    "question": _("Question"),
    "answer": _("Answer"),
    "text": _("Text"),
}
"""Words for the parts of a row; a column of a table is shown under its own name."""
PIECE = re.compile(r"\w+|\s+|[^\w\s]")
UNSEEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u00a0\u00ad\u200b-\u200f\u2060\u3000\ufeff]|[ \t]+(?=\n|$)"
)
CELL = 200

Part = dict[str, Any]


def card(row: dict[str, Any], form: str, number: int) -> dict[str, Any]:
    return {"number": number, "parts": labelled(shown(row, form, 2000))}


def labelled(parts: list[Part]) -> list[Part]:
    return [{**part, "role": part["label"], "label": part_label(part["label"])} for part in parts]


def part_label(name: str) -> str:
    return gettext(LABELS[name]) if name in LABELS else name


def cell(value: Any) -> str:
    return "" if value is None else shortened(str(value), CELL)


def bad_label(reason: str) -> str:
    """Why a row is in the quarantine, in the reader's language."""
    return gettext(REASONS[reason]) if reason in REASONS else reason


def drop_label(step: str, reason: str) -> str:
    """Why a step dropped a row, in the reader's language."""
    known = step_of(step)
    return gettext(known.reasons[reason]) if known and reason in known.reasons else reason


def step_label(name: str) -> str:
    known = step_of(name)
    return gettext(known.label) if known else name


def step_of(name: str) -> Any:
    """None for a step that this installation no longer has; its reports stay readable."""
    try:
        return steps.get(name)
    except NotFound:
        return None


def reasons(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows in quarantine by reason, the most frequent first."""
    counted = sorted((report.get("reasons") or {}).items(), key=lambda item: -item[1])
    return [{"label": bad_label(reason), "count": count} for reason, count in counted]


def histogram(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Lengths of rows: bars from the first to the last that holds any."""
    bars = (report.get("statistics") or {}).get("histogram") or []
    filled = [index for index, bar in enumerate(bars) if bar["rows"]]
    return bars[filled[0] : filled[-1] + 1] if filled else []


def report_steps(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a cleaning with their counts, reasons and samples."""
    return [step_line(tally) for tally in report.get("steps") or []]


def step_line(tally: dict[str, Any]) -> dict[str, Any]:
    name = tally["step"]
    return {
        **tally,
        "label": step_label(name),
        "gone": sum(tally["dropped"].values()),
        "dropped": [{"label": drop_label(name, reason), "count": count} for reason, count in tally["dropped"].items()],
        "samples": [sample(one, name) for one in tally.get("samples") or []],
    }


def sample(found: dict[str, Any], step: str) -> dict[str, Any]:
    """A row before and after: `changes` part by part, or the reason why it is gone."""
    if "reason" in found:
        why = drop_label(found.get("step") or step, found["reason"])
        return {**found, "parts": labelled(found["before"]), "why": why}
    pairs = zip(found["before"], found["after"], strict=False)
    changes = [
        {"label": part_label(old["label"]), "pieces": differences(old["text"], new["text"])} for old, new in pairs
    ]
    return {**found, "changes": [change for change in changes if len(change["pieces"]) > 1] or changes}


def format_label(name: str) -> str:
    """Of the format of a file; one that is not known any more is told by its name."""
    return gettext(formats.get(name).label) if name in formats else name


def import_preview(found: dict[str, Any]) -> dict[str, Any]:
    """What an import would make of a file, for the wizard."""
    rows = [{**row, "parts": labelled(row["parts"])} for row in found["rows"]]
    names = [part["label"] for part in max((row["parts"] for row in found["rows"]), key=len, default=[])]
    for row in rows:
        texts = {part["label"]: part["text"] for part in row["parts"]}
        row["cells"] = [shortened(texts.get(name, ""), CELL) for name in names]
    return {
        **found,
        "rows": rows,
        "names": names,
        "bad": [{**row, "label": bad_label(row["reason"])} for row in found["bad"]],
        "format_label": format_label(found["format"]),
        "container_label": gettext(containers.get(found["container"]).label),
    }


def made_of(artefacts: Iterable[Artefact]) -> list[dict[str, str]]:
    """Artefacts as links."""
    return [
        {"name": one.name, "type_label": str(artefact_types.label(one.type)), "page": artefact_types.url(one)}
        for one in artefacts
    ]


def trial(found: dict[str, Any]) -> dict[str, Any]:
    """A recipe's trial for the editor."""
    rows = [{**sample(row, ""), "step_label": step_label(row.get("step", ""))} for row in found["rows_shown"]]
    return {**found, "steps": [step_line(tally) for tally in found["steps"]], "rows_shown": rows}


def dropped_card(row: dict[str, Any], form: str) -> dict[str, Any]:
    """A row of `dropped.parquet`."""
    whole = card(json.loads(row["data"]), form, row["row"])
    return {
        **whole,
        "step": step_label(row["step"]),
        "why": drop_label(row["step"], row["reason"]),
        "detail": row["detail"],
    }


def differences(old: str, new: str) -> list[dict[str, str]]:
    """Pieces of two texts in order, each `same`, `removed` or `added`; what cannot be seen is spelled out."""
    if old == new:
        return [{"kind": "same", "text": new}]
    before, after = PIECE.findall(old), PIECE.findall(new)
    pieces = []
    for kind, first, last, start, end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append({"kind": "same", "text": "".join(after[start:end])})
            continue
        if first < last:
            pieces.append({"kind": "removed", "text": spelled("".join(before[first:last]))})
        if start < end:
            pieces.append({"kind": "added", "text": "".join(after[start:end])})
    return pieces


def spelled(text: str) -> str:
    """Invisible characters by their number, so that a reader sees what goes."""
    return UNSEEN.sub(lambda match: "".join(visible(character) for character in match.group()), text)


def visible(character: str) -> str:
    return "·" if character in " \t\u00a0\u3000" else f"⟨U+{ord(character):04X}⟩"
