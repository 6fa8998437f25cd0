"""`$AIFS_HOME/demo/report.json`: what the demo found, and whether that is good enough."""

import json
from pathlib import Path
from typing import Any

FIELDS = (
    "rows_in", "rows_kept", "rows_quarantined", "rows_dropped", "loss_before", "loss_after", "benchmark",
    "answer_before", "answer_after", "served_tokens_per_s", "openai_answer", "prompt_service_answer", "model",
    "deployment", "prompt_service", "urls", "seconds",
)  # fmt: skip
"""Outsiders read these; there may be more, never fewer."""
LOSS_MUST_FALL = 0.4
LEARNED = "PostgreSQL"
"""What the shipped data taught, and the model did not know: the answer to the demo's question names it."""


def write(found: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    temporary.replace(path)
    return path


def problems(found: dict[str, Any], *, shipped: bool) -> list[str]:
    """Why the demo has not worked; empty when it has. Only the shipped data promises how far the loss falls."""
    said = [f"the report lacks {name}" for name in FIELDS if found.get(name) in (None, "", {})]
    if said:
        return said
    parts = found["rows_kept"] + found["rows_quarantined"] + found["rows_dropped"]
    if parts != found["rows_in"]:
        said.append(f"rows do not add up: {found['rows_in']} in, {parts} accounted for")
    fell = 1 - found["loss_after"] / found["loss_before"]
    if shipped and fell < LOSS_MUST_FALL:
        said.append(f"held-out loss fell by {fell:.0%} only; {LOSS_MUST_FALL:.0%} was expected")
    for name in ("answer_after", "openai_answer", "prompt_service_answer"):
        if shipped and LEARNED not in found[name]:
            said.append(f"{name} does not name {LEARNED}: {found[name]}")
    if found["served_tokens_per_s"] <= 0:
        said.append("no speed was measured")
    return said
