"""Reads of datasets. Every query starts from the actor's projects; somebody else's dataset is not found."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Count, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Artefact, Project
from apps.core.selectors import in_reach, shared_ids
from apps.core.storage import storage
from apps.datasets.models import Dataset, DatasetVersion

PAGE_ROWS = 20
PAGE_ROWS_MAX = 200


def list_datasets(actor: Actor) -> QuerySet[Dataset]:
    """With `version_count`, and `newest_id`, `newest_number`, `format` and `rows` of the newest version."""
    return with_newest(Dataset.objects.filter(project__in=actor.projects())).order_by("-created_at", "-id")


def list_with_shared(actor: Actor, project: Project) -> QuerySet[Dataset]:
    """The project's datasets, and those of which a version is shared with it (`is_shared`), as if they had no other."""
    actor.require("view", project)
    shared = shared_ids([project])
    if not shared:
        return with_newest(Dataset.objects.filter(project=project)).annotate(is_shared=Value(False))
    seen = DatasetVersion.objects.filter(Q(dataset__project=project) | Q(pk__in=shared))
    others = list(seen.exclude(dataset__project=project).values_list("dataset", flat=True))
    datasets = with_newest(Dataset.objects.filter(Q(project=project) | Q(pk__in=others)), seen)
    return datasets.annotate(is_shared=ExpressionWrapper(~Q(project=project), BooleanField()))


def with_newest(datasets: QuerySet[Dataset], versions: QuerySet[DatasetVersion] | None = None) -> QuerySet[Dataset]:
    """versions: those there are for the reader; all of them unless given."""
    versions = (DatasetVersion.objects.all() if versions is None else versions).filter(dataset=OuterRef("pk"))
    newest = versions.order_by("-number")
    counted = versions.values("dataset").annotate(count=Count("pk")).values("count")  # per row shown, not per row there
    return datasets.select_related("project", "created_by").annotate(
        version_count=Coalesce(Subquery(counted), 0),
        newest_id=Subquery(newest.values("artefact_id")[:1]),
        newest_number=Subquery(newest.values("number")[:1]),
        format=Subquery(newest.values("format")[:1]),
        rows=Subquery(newest.values("rows")[:1]),
    )


def get_dataset(actor: Actor, project: Project, id: UUID) -> Dataset:
    """Raises NotFound."""
    dataset = list_datasets(actor).filter(project=project, pk=id).first()
    if dataset is None:
        raise NotFound(_("There is no such dataset in this project."))
    return dataset


def list_versions(actor: Actor) -> QuerySet[DatasetVersion]:
    return (
        DatasetVersion.objects.filter(dataset__project__in=actor.projects())
        .select_related("dataset__project", "artefact__created_by")
        .order_by("-created_at", "-number")
    )


def get_version(actor: Actor, project: Project, id: UUID) -> DatasetVersion:
    """One of the project's own, or one that is shared with it. Raises NotFound."""
    actor.require("view", project)
    versions = DatasetVersion.objects.select_related("dataset__project", "artefact__created_by")
    version = versions.filter(in_reach(project, "artefact"), pk=id).first()
    if version is None:
        raise NotFound(_("There is no such dataset version in this project."))
    return version


def get_own_version(actor: Actor, project: Project, id: UUID) -> DatasetVersion:
    """With all that is around it. Raises NotFound, also for what is only shared with the project."""
    version = get_version(actor, project, id)
    if version.dataset.project_id != project.pk:
        raise NotFound(_("There is no such dataset version in this project."))
    return version


def count_datasets(project: Project) -> int:
    return Dataset.objects.filter(project=project).count()


# --- rows


@contextmanager
def parquet_file(version: DatasetVersion, name: str) -> Iterator[Any]:
    """One of a version's Parquet files, open. pyarrow is loaded only when rows are asked for. Raises NotFound."""
    from pyarrow import parquet

    entry = version.artefact.manifest.get(f"{name}.parquet")
    if entry is None:
        raise NotFound(_("This version has no such rows."))
    with storage().open(entry["sha256"]) as stored, parquet.ParquetFile(stored) as file:
        yield file


def count_cleaned(project: Project) -> int:
    """Versions that a cleaning made of another version."""
    made = DatasetVersion.objects.filter(dataset__project=project, artefact__parent_edges__role="dataset")
    return made.distinct().count()


def count_rows(version: DatasetVersion, name: str) -> int:
    """How many rows one of the files holds; 0 when there is no such file."""
    if f"{name}.parquet" not in version.artefact.manifest:
        return 0
    with parquet_file(version, name) as file:
        return int(file.metadata.num_rows)


def read_rows(version: DatasetVersion, name: str, offset: int = 0, limit: int = PAGE_ROWS) -> list[dict[str, Any]]:
    """Rows of `data`, `quarantine` or `dropped` from an offset on. Reads only the row groups that hold them."""
    found: list[dict[str, Any]] = []
    with parquet_file(version, name) as file:
        start = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if start + count > offset and len(found) < limit:
                first = max(0, offset - start)
                found += file.read_row_group(group).slice(first, limit - len(found)).to_pylist()
            start += count
    return found


# --- artefact type and search


def find_version(project: Project, ref: str) -> Artefact | None:
    """The artefact of `name` (newest version) or `name:version`."""
    versions = DatasetVersion.objects.filter(dataset__project=project).select_related("artefact").order_by("-number")
    whole = versions.filter(dataset__name=ref).first()
    name, _colon, number = ref.rpartition(":")
    if whole is None and number.isdecimal() and len(number) < 9:
        whole = versions.filter(dataset__name=name, number=int(number)).first()
    return whole.artefact if whole else None


def version_url(artefact: Artefact) -> str:
    return reverse("datasets:version_detail", args=[artefact.project.slug, artefact.pk])


def facts(artefact: Artefact) -> dict[str, Any]:
    """What an estimate rests on: {"rows", "report", "size_bytes", "format", "columns"} of a version."""
    version = DatasetVersion.objects.get(pk=artefact.pk)
    known = {name: getattr(version, name) for name in ("rows", "report", "format", "columns")}
    return {**known, "size_bytes": artefact.size_bytes}


def version_meta(artefact: Artefact) -> dict[str, Any]:
    """What a run that reads the version may know about it."""
    version = DatasetVersion.objects.select_related("dataset").filter(pk=artefact.pk).first()
    if version is None:
        return dict(artefact.meta)
    return {
        "dataset": version.dataset.name,
        "number": version.number,
        "kind": version.dataset.kind,
        "format": version.format,
        "source_format": version.source_format,
        "rows": version.rows,
        "columns": version.columns,
    }


def search(actor: Actor, project: Project, query: str) -> list[tuple[str, str, str]]:
    """Datasets whose name holds the words, as (label, address, kind)."""
    found = list_datasets(actor).filter(project=project, name__icontains=query)[:8]
    return [(row.name, reverse("datasets:dataset_detail", args=[project.slug, row.pk]), _("dataset")) for row in found]


def parents_of(version: DatasetVersion, project: Project) -> QuerySet[DatasetVersion]:
    """Dataset versions this one was made from, as far as the project may see them."""
    parents = DatasetVersion.objects.filter(artefact__children_edges__child=version.artefact_id)
    return parents.filter(in_reach(project, "artefact")).select_related("dataset")


def children_of(version: DatasetVersion, project: Project) -> QuerySet[Artefact]:
    """What the project made of it, newest first."""
    return (
        Artefact.objects.filter(parent_edges__parent=version.artefact_id, project=project)
        .select_related("project")
        .defer("manifest", "meta")
        .order_by("-created_at")
    )


def newest_of(actor: Actor, dataset: Dataset) -> DatasetVersion | None:
    """None for a dataset that was only just created."""
    return list_versions(actor).filter(dataset=dataset).order_by("-number").first()
