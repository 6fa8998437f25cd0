"""Looks at hostile files and recipes before anything is stored, in children that can be killed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.core.models import Upload
from apps.core.storage import storage
from apps.datasets.models import DatasetVersion
from workers.killable import Pool

FILES = Pool("workers.datasets.preview:preview", size=2, cpu_s=20, wall_s=40, memory_mib=2048, answer_bytes=4 << 20)
TRIALS = Pool("workers.datasets.trial:trial", size=2, cpu_s=10, wall_s=20, memory_mib=2048, answer_bytes=4 << 20)


def preview_upload(upload: Upload, **wanted: str) -> dict[str, Any]:
    """What an import would make of a finished upload. wanted: format, encoding, kind, each `auto` unless given.

    Raises InvalidInput as the import would, LimitReached when the file takes too long to look at.
    """
    with on_disk(upload.sha256) as path:
        found: dict[str, Any] = FILES.call({"path": str(path), "filename": upload.filename, **wanted})
    return found


def try_recipe(version: DatasetVersion, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """A recipe on the first rows of a version: counts step by step, rows before and after. Raises InvalidInput."""
    with on_disk(version.artefact.manifest["data.parquet"]["sha256"]) as path:
        found: dict[str, Any] = TRIALS.call({"path": str(path), "form": version.format, "steps": steps})
    return found


@contextmanager
def on_disk(sha256: str) -> Iterator[Path]:
    """A stored object as a local file."""
    if (path := storage().local_path(sha256)) is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="aifs-preview-") as folder:
        path = Path(folder) / "file"
        storage().fetch_file(sha256, path)
        yield path
