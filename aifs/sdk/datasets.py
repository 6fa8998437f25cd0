"""Datasets: import, look at, clean and take out again."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aifs.sdk.errors import NotFound
from aifs.sdk.jobs import Job, output

if TYPE_CHECKING:
    from aifs.sdk.client import Client

Rows = list[dict[str, Any]]


class Datasets:
    def __init__(self, client: "Client") -> None:
        self._client = client

    def import_file(
        self,
        path: str | Path,
        *,
        name: str,
        kind: str = "auto",
        format: str = "auto",
        told: Any = None,
        **params: Any,
    ) -> Job:
        """Upload a file (or a folder) and start its import."""
        upload = self._client.uploads.send(path, told=told)
        return self._client.jobs.start(
            "datasets.import", {"source": upload, "name": name, "kind": kind, "format": format, **params}
        )

    def clean(self, dataset: str, **params: Any) -> Job:
        """Start cleaning a version; without `steps` the default recipe runs. The result is the next version."""
        return self._client.jobs.start("datasets.clean", {"dataset": dataset, **params})

    def list(self, **filters: Any) -> Rows:
        filters.setdefault("project", self._client.project)
        return list(self._client.pages("datasets/", **filters))

    def versions(self, name: str | None = None, **filters: Any) -> Rows:
        """Newest first."""
        filters.setdefault("project", self._client.project)
        return list(self._client.pages("dataset-versions/", name=name, **filters))

    def version(self, ref: str) -> dict[str, Any]:
        """A version by id, `name` (newest) or `name:version`. Raises NotFound."""
        return find_version(self._client, "dataset-versions/", "dataset", ref)

    def version_of(self, job: Job) -> dict[str, Any]:
        """The version that an import or a cleaning made."""
        return self.version(str(output(job, "dataset")["id"]))

    def preview(self, ref: str, rows: int = 20, *, quarantine: bool = False) -> dict[str, Any]:
        """The first rows, or the first rows of the quarantine with their reasons."""
        id = self.version(ref)["id"]
        part = "quarantine" if quarantine else "preview"
        found: dict[str, Any] = self._client.get(f"dataset-versions/{id}/{part}/", limit=rows)
        return found

    def export(self, ref: str, path: str | Path, format: str = "") -> Path:
        """Write a version to a file. format: `jsonl`, `parquet` or `csv`; by default the ending of the path says it."""
        path = Path(path)
        id = self.version(ref)["id"]
        ending = format or path.suffix.lstrip(".") or "jsonl"
        return download(self._client, f"dataset-versions/{id}/export/", path, format=ending)


def summary(version: dict[str, Any]) -> dict[str, Any]:
    """The object that `aifs datasets import … --wait --json` prints."""
    return {
        "dataset": version["dataset_name"],
        "version": version["number"],
        "format": version["format"],
        "rows_in": version["rows_in"],
        "rows": version["rows"],
        "quarantined": version["quarantined"],
    }


def find_version(client: "Client", path: str, field: str, ref: str) -> dict[str, Any]:
    """A version by id, `name` or `name:version`. field: the name under which an answer holds its parent's name."""
    if len(ref) == 36 and ref.count("-") == 4:
        found: dict[str, Any] = client.get(f"{path}{ref}/")
        return found
    name, colon, number = ref.rpartition(":")
    if not (colon and number.isdecimal()):
        name, number = ref, ""
    filters: dict[str, Any] = {"project": client.project, field: name, "number": number or None}
    for version in client.pages(path, limit=1, **filters):
        return version
    raise NotFound(f"There is no {path.split('-')[0]} called {ref}.", code="not_found")


def download(client: "Client", url: str, path: Path, **params: Any) -> Path:
    """Stream an answer into a file; a broken one leaves nothing."""
    from aifs.sdk.errors import from_response

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    with client.http.stream("GET", url if "://" in url else f"/api/v1/{url}", params=params, timeout=None) as response:
        if not response.is_success:
            response.read()
            raise from_response(response)
        try:
            with temporary.open("wb") as target:
                for part in response.iter_bytes():
                    target.write(part)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path
