"""Artefacts enter the records together with what they were made from."""

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.ids import uuid7
from apps.core.models import Artefact, LineageEdge, Project, User
from apps.core.storage import Manifest, manifest_sha256, manifest_size


@transaction.atomic
def register_artefact(
    *,
    project: Project,
    type: str,
    name: str,
    manifest: Manifest,
    job_id: UUID | None = None,
    created_by: User | None = None,
    meta: dict[str, Any] | None = None,
    parents: dict[str, Artefact] | None = None,
    id: UUID | None = None,
) -> Artefact:
    """Record an artefact whose files are already in storage.

    parents: role (name of the input) → artefact it was made from. Without files the hash is that of the empty manifest.
    """
    artefact = Artefact.objects.create(
        id=id or uuid7(),
        project=project,
        type=type,
        name=name,
        manifest=manifest,
        sha256=manifest_sha256(manifest),
        size_bytes=manifest_size(manifest),
        meta=meta or {},
        job_id=job_id,
        created_by=created_by,
    )
    LineageEdge.objects.bulk_create(
        LineageEdge(parent=parent, child=artefact, job_id=job_id, role=role) for role, parent in (parents or {}).items()
    )
    return artefact
