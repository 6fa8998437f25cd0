"""The model store: import, look at and take out again."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aifs.sdk.datasets import download, find_version
from aifs.sdk.jobs import Job, output

if TYPE_CHECKING:
    from aifs.sdk.client import Client

Rows = list[dict[str, Any]]


class Models:
    def __init__(self, client: "Client") -> None:
        self._client = client

    def import_file(self, path: str | Path, *, name: str, licence: str = "", told: Any = None, **params: Any) -> Job:
        """Upload a model folder, an archive of one or a .gguf file, and start its import."""
        upload = self._client.uploads.send(path, told=told)
        given = {"licence": licence} if licence else {}
        return self._client.jobs.start("lms.import", {"source": upload, "name": name, **given, **params})

    def list(self, **filters: Any) -> Rows:
        filters.setdefault("project", self._client.project)
        return list(self._client.pages("models/", **filters))

    def version(self, ref: str) -> dict[str, Any]:
        """A version by id, `name` (newest) or `name:version`. Raises NotFound."""
        return find_version(self._client, "model-versions/", "model", ref)

    def version_of(self, job: Job) -> dict[str, Any]:
        """The version that an import or a tuning run made."""
        return self.version(str(output(job, "model")["id"]))

    def export(self, ref: str, folder: str | Path) -> Path:
        """Download every file of a version into a folder."""
        version = self.version(ref)
        files = self._client.get(f"model-versions/{version['id']}/files/")
        for file in files["files"] if isinstance(files, dict) else files:
            target = _inside(Path(folder), file["path"])
            download(self._client, f"model-versions/{version['id']}/files/{quote(file['path'])}/", target)
        return Path(folder)


def summary(version: dict[str, Any]) -> dict[str, Any]:
    """The object that `aifs models import … --wait --json` prints."""
    return {
        "model": version["model_name"],
        "version": version["number"],
        "family": version["family"],
        "format": version["format"],
        "parameters": version["parameters"],
        "bytes": version["size_bytes"],
        "sha256": version["sha256"],
    }


def _inside(folder: Path, name: str) -> Path:
    """A file below the folder; a server must not be able to write elsewhere."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ValueError(f"the server names a file outside the folder: {name}")
    return target
