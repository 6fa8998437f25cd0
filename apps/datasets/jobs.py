"""What becomes of the kinds `datasets.*` on the web side: their output is the next version of a dataset."""

from typing import Any

from apps.core.models import Artefact
from apps.datasets import services
from apps.datasets.models import DatasetVersion
from apps.gpucloud.handlers import Handler
from apps.gpucloud.models import Attempt, Job


class DatasetsHandler(Handler):
    package = "datasets"

    def finish(self, job: Job, attempt: Attempt) -> dict[str, Any]:
        output = attempt.outputs["dataset"]
        parents = {row.name: row.artefact for row in job.inputs.select_related("artefact")}
        version = services.add_version(
            job.project,
            job.params.get("name") or name_of(parents["dataset"]),
            manifest=output["manifest"],
            meta=output["meta"],
            kind=kind_of(parents.get("dataset")),
            description=job.params.get("description", ""),
            job_id=job.pk,
            created_by=job.created_by,
            parents=parents,
        )
        artefact = version.artefact
        named = {"type": artefact.type, "id": str(artefact.pk), "name": artefact.name}
        return {"dataset": {**named, "version": version.number, "rows": version.rows}}


def name_of(artefact: Artefact) -> str:
    """A cleaned version without a name of its own stands behind the version it came from."""
    return DatasetVersion.objects.select_related("dataset").get(pk=artefact.pk).dataset.name


def kind_of(artefact: Artefact | None) -> str:
    """Cleaning does not change what data is for."""
    version = DatasetVersion.objects.select_related("dataset").filter(pk=artefact.pk).first() if artefact else None
    return version.dataset.kind if version else ""
