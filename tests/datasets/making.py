"""Real dataset versions for tests: rows go through the import as a job's would, and are registered as its output."""

import json
from pathlib import Path
from typing import Any

from apps.core.models import Project, Upload
from apps.core.storage import storage
from apps.datasets import services
from apps.datasets.models import DatasetVersion
from tests.factories import House
from tests.workers.datasets.running import Outcome, run_clean, run_import

ROWS: list[Any] = [
    {"instruction": "What is AIFS?", "output": "A house for models, large and small."},
    {"instruction": "What is AIFS?", "output": "A house for models, large and small."},
    "{broken",
    {"instruction": "Where does a bad row go?", "output": "To the quarantine, with a reason."},
    {"instruction": "数据放在哪里？", "output": "放在自己的机器上。"},
]


def as_lines(rows: list[Any]) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows).encode()


def register(project: Project, name: str, outcome: Outcome, **fields: Any) -> DatasetVersion:
    assert outcome.status == 0, outcome.last("error")
    manifest = storage().put_tree(outcome.directory / "outputs/dataset")
    return services.add_version(project, name, manifest=manifest, meta=outcome.meta, **fields)


def make_version(
    house: House, tmp_path: Path, name: str = "facts", rows: list[Any] | None = None, filename: str = "rows.jsonl"
) -> DatasetVersion:
    content = as_lines(ROWS if rows is None else rows)
    outcome = run_import(tmp_path / f"import-{name}", content, filename)
    return register(house.project, name, outcome, created_by=house.owner)


def make_cleaned(house: House, tmp_path: Path) -> DatasetVersion:
    """A version and the one cleaned from it; returns the second."""
    source = run_import(tmp_path / "import", as_lines(ROWS), "rows.jsonl")
    first = register(house.project, "facts", source)
    return register(house.project, "facts", run_clean(tmp_path / "clean", source), parents={"dataset": first.artefact})


def make_upload(house: House, tmp_path: Path, content: bytes, filename: str = "rows.jsonl") -> Upload:
    path = tmp_path / "upload"
    path.write_bytes(content)
    sha256, size = storage().put_file(path)
    return Upload.objects.create(
        project=house.project, user=house.owner, filename=filename, size_bytes=size, offset_bytes=size, sha256=sha256
    )
