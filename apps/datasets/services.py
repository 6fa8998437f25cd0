"""Every write of datasets, with its rules and its transaction."""

import tempfile
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput
from apps.core.models import Artefact, Project, User
from apps.core.services import USED_ELSEWHERE, USED_ELSEWHERE_HINT, record_audit, register_artefact
from apps.core.storage import Manifest, storage
from apps.datasets import selectors
from apps.datasets.models import Dataset, DatasetKind, DatasetVersion
from apps.gpucloud.models import JobInput
from workers.datasets.cases import FORM, ROWS_MAX, case_row, is_full, write_cases


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


# --- test cases


@transaction.atomic
def add_case(actor: Actor, project: Project, name: str, messages: Any) -> DatasetVersion:
    """Keep a conversation as a test case: the next version of a dataset for evaluation, which is made when it is not
    there yet, holds the rows of the newest one and this. A case that is there already makes no version.

    messages: [{"role", "content"}], the last of them the answer that is expected. Raises InvalidInput naming the field.
    """
    actor.require("run_simple", project)
    row = case_row(messages)
    kind = {"kind": DatasetKind.EVALUATION, "created_by": actor.user}
    made, _new = Dataset.objects.get_or_create(project=project, name=name, defaults=kind)
    dataset = Dataset.objects.select_for_update().get(pk=made.pk)  # who saves meanwhile waits, and adds to this version
    newest = dataset.versions.select_related("artefact").order_by("-number").first()
    _check_takes_case(dataset, newest)
    rows = selectors.read_rows(newest, "data", limit=ROWS_MAX) if newest else []
    if newest and any(known["messages"] == row["messages"] for known in rows):
        return newest
    with tempfile.TemporaryDirectory() as folder:
        meta = write_cases(Path(folder), [*rows, row])
        manifest = storage().put_tree(Path(folder))
    parents = {"previous": newest.artefact} if newest else None
    version = add_version(project, name, manifest=manifest, meta=meta, created_by=actor.user, parents=parents)
    record_audit(actor, "dataset.add", dataset, version=version.number)
    return version


def _check_takes_case(dataset: Dataset, newest: DatasetVersion | None) -> None:
    """Not the data that models learn from, no set of another shape, and none too large to be written anew."""
    if dataset.kind != DatasetKind.EVALUATION:
        refusal = _("“%(name)s” is not for evaluation: a model could be trained on the test case.")
    elif newest and newest.format != FORM:
        refusal = _("“%(name)s” holds no conversations.")
    elif newest and is_full(newest.rows, newest.report):
        refusal = _("“%(name)s” is full: a dataset to which test cases are added has at most %(most)d rows.")
    else:
        return
    data = {"name": dataset.name, "most": ROWS_MAX}
    errors = [{"field": "name", "message": refusal, "data": data}]
    raise InvalidInput(refusal, hint=_("Choose another name."), code="takes_no_test_case", errors=errors, **data)
