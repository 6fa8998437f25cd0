"""Dataset versions in lineage graphs."""

from uuid import UUID

from apps.core.models import Artefact
from apps.datasets.models import DatasetVersion


def newest(ids: list[UUID]) -> dict[UUID, Artefact]:
    """Version → the newest version of its dataset."""
    datasets = dict(DatasetVersion.objects.filter(pk__in=ids).values_list("pk", "dataset_id"))
    rows = DatasetVersion.objects.filter(dataset__in=set(datasets.values())).select_related("artefact")
    by_dataset = {row.dataset_id: row.artefact for row in rows.order_by("dataset", "-number").distinct("dataset")}
    return {id: by_dataset[dataset] for id, dataset in datasets.items()}
