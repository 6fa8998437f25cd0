"""Run a job kind of this package in a folder, as the node agent would, and read what it left."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.__main__ import run
from workers.datasets.storing import read_rows
from workers.io import RunIO
from workers.spec import Input, Spec


@dataclass
class Outcome:
    status: int
    directory: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    def last(self, type: str) -> dict[str, Any]:
        return [event for event in self.events if event["type"] == type][-1]

    @property
    def meta(self) -> dict[str, Any]:
        meta: dict[str, Any] = self.last("artefact")["meta"]
        return meta

    def rows(self, name: str = "data") -> list[dict[str, Any]]:
        return list(read_rows(self.directory / "outputs/dataset" / f"{name}.parquet"))

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.directory / "outputs/dataset/report.json").read_text())
        return report


def run_kind(directory: Path, kind: str, params: dict[str, Any], **inputs: dict[str, Any]) -> Outcome:
    """inputs: name → {"files": {file name: bytes or Path}, "meta": {...}, "type": ...}."""
    directory.mkdir(parents=True, exist_ok=True)
    described = {}
    for name, given in inputs.items():
        folder = directory / "inputs" / name
        folder.mkdir(parents=True)
        for filename, content in given["files"].items():
            (folder / filename).write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        described[name] = Input(
            type=given.get("type", "upload"), id="i", path=f"inputs/{name}", meta=given.get("meta", {})
        )
    spec = Spec(job="j", kind=kind, params=params, inputs=described)
    status = run(RunIO(directory, spec))
    lines = (directory / "events.jsonl").read_text().splitlines()
    return Outcome(status, directory, [json.loads(line) for line in lines])


def run_import(directory: Path, content: bytes | Path, filename: str = "rows.jsonl", **params: Any) -> Outcome:
    given = {"files": {filename: content}, "meta": {"filename": filename}}
    return run_kind(directory, "datasets.import", {"source": "u", "name": "d", **params}, source=given)


def run_clean(directory: Path, source: Outcome, steps: list[dict[str, Any]] | None = None) -> Outcome:
    folder = source.directory / "outputs/dataset"
    given = {"files": {path.name: path for path in folder.iterdir()}, "meta": source.meta, "type": "dataset_version"}
    params: dict[str, Any] = {"dataset": "d"} | ({} if steps is None else {"steps": steps})
    return run_kind(directory, "datasets.clean", params, dataset=given)
