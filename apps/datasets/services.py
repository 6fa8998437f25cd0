"""Every write of datasets, with its rules and its transaction."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput
from apps.core.models import Artefact, Project, User
from apps.core.services import USED_ELSEWHERE, USED_ELSEWHERE_HINT, record_audit, register_artefact
from apps.core.storage import Manifest
from apps.datasets.models import Dataset, DatasetKind, DatasetVersion
from apps.gpucloud.models import JobInput


def create_dataset(
    actor: Actor, project: Project, *, name: str, kind: str = DatasetKind.GENERAL, description: str = ""
) -> Dataset:
    """An empty dataset; imports add versions. Raises Conflict when the name is taken."""
    actor.require("run_simple", project)
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                project=project, name=name, kind=kind, description=description, created_by=actor.user
            )
            record_audit(actor, "dataset.create", dataset)
    except IntegrityError:
        raise Conflict(_("This project already has a dataset called “%(name)s”."), name=name) from None
    return dataset


@transaction.atomic
def update_dataset(
    actor: Actor, dataset: Dataset, *, kind: str | None = None, description: str | None = None
) -> Dataset:
    """Change what a dataset is said to be; its versions stay as they are."""
    actor.require("run_simple", dataset.project)
    changes = {key: value for key, value in (("kind", kind), ("description", description)) if value is not None}
    if changes.get("kind", DatasetKind.GENERAL) not in DatasetKind.values:
        raise InvalidInput(_("There is no kind of dataset called “%(kind)s”."), kind=kind)
    Dataset.objects.filter(pk=dataset.pk).update(**changes)
    for field, value in changes.items():
        setattr(dataset, field, value)
    record_audit(actor, "dataset.update", dataset, changes=changes)
    return dataset


@transaction.atomic
def delete_dataset(actor: Actor, dataset: Dataset) -> None:
    """Remove a dataset with its versions. Raises Conflict when a job has read one: lineage would lose its roots."""
    actor.require("run", dataset.project)
    artefacts = Artefact.objects.filter(dataset_version__dataset=dataset)
    readers = JobInput.objects.filter(artefact__in=artefacts)
    used = readers.filter(job__project=dataset.project).count()
    if not used and readers.exists():
        raise Conflict(USED_ELSEWHERE, hint=USED_ELSEWHERE_HINT)
    if used:
        raise Conflict(
            _("%(used)d jobs have read this dataset, so it cannot be deleted."),
            hint=_("What was made of it could not be explained any more."),
            used=used,
        )
    record_audit(actor, "dataset.delete", dataset)
    artefacts.delete()
    dataset.delete()


@transaction.atomic
def add_version(
    project: Project,
    name: str,
    *,
    manifest: Manifest,
    meta: dict[str, Any],
    kind: str = "",
    description: str = "",
    job_id: Any = None,
    created_by: User | None = None,
    parents: dict[str, Artefact] | None = None,
) -> DatasetVersion:
    """Register files that are in storage as the next version of a dataset, which is made when it is not there yet.

    The same job adds one version however often this is called. meta: what `datasets.import` and `.clean` announce.
    """
    known = DatasetVersion.objects.filter(artefact__job_id=job_id, artefact__type="dataset_version").first()
    if job_id and known:
        return known
    start = {
        "kind": kind or meta.get("kind") or DatasetKind.GENERAL,
        "description": description,
        "created_by": created_by,
    }
    dataset, _made = Dataset.objects.get_or_create(project=project, name=name, defaults=start)
    Dataset.objects.select_for_update().get(pk=dataset.pk)  # numbers are given out one at a time
    number = (dataset.versions.aggregate(newest=Max("number"))["newest"] or 0) + 1
    artefact = register_artefact(
        project=project,
        type="dataset_version",
        name=f"{name}:{number}",
        manifest=manifest,
        job_id=job_id,
        created_by=created_by,
        meta={key: meta.get(key) for key in ("format", "rows")},
        parents=parents,
    )
    counted = {key: int(meta.get(key) or 0) for key in ("rows", "rows_in", "quarantined", "dropped")}
    return DatasetVersion.objects.create(
        artefact=artefact,
        dataset=dataset,
        number=number,
        format=meta["format"],
        source_format=meta.get("source_format") or "",
        columns=meta.get("columns") or [],
        report=meta.get("report") or {},
        **counted,
    )
