"""What becomes of the kinds `datasets.*` on the web side: their output is the next version of a dataset."""

from dataclasses import replace
from typing import Any

from apps.core.models import Artefact
from apps.core.selectors import upload_facts
from apps.datasets import services
from apps.datasets.models import DatasetVersion
from apps.datasets.selectors import facts
from apps.gpucloud.handlers import Handler
from apps.gpucloud.models import Attempt, Job
from workers.datasets.clean import Params as CleanParams
from workers.datasets.estimate import of_cleaning, of_import
from workers.datasets.importing import Params as ImportParams
from workers.estimates import Estimate
from workers.kinds import Kind, Resources
from workers.params import Params

MEMORY_SPARE = 1.5
"""Times what is told: an estimate is no promise, and a run that goes beyond its memory is ended."""


class DatasetsHandler(Handler):
    package = "datasets"
    estimated = ("datasets.import", "datasets.clean")

    def resources(self, kind: Kind, params: Params, inputs: dict[str, Artefact]) -> Resources:
        """Cleaning that remembers every row needs more for millions of them than it has for a few."""
        needs = kind.resources
        if not isinstance(params, CleanParams):
            return needs
        told = of_cleaning(params, dataset=facts(inputs["dataset"])).memory_mib or 0
        return replace(needs, memory_mib=max(needs.memory_mib, round(MEMORY_SPARE * told)))

    def estimate(self, kind: Kind, params: Params, inputs: dict[str, Artefact], needs: Resources) -> Estimate:
        if isinstance(params, ImportParams):
            return of_import(**upload_facts(params.source))
        if isinstance(params, CleanParams):
            return of_cleaning(params, dataset=facts(inputs["dataset"]))
        return super().estimate(kind, params, inputs, needs)

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
