"""Filling a run directory, in a thread of its own: inputs by hash, and the newest checkpoint that is whole."""

import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from apps.core.errors import NotFound
from apps.core.storage import ChecksumMismatch, storage
from apps.gpucloud.services.attempts import Claim

log = logging.getLogger(__name__)

KEPT = {"supervisor.lock", "launch"}


@dataclass
class Prepared:
    """resumed_from: step of the checkpoint that was fetched. broken: steps whose checksums were wrong."""

    resumed_from: int | None = None
    broken: list[int] = field(default_factory=list)


def prepare(claim: Claim, directory: Path) -> Prepared:
    """Raises what storage raises when an input cannot be had."""
    for path in directory.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in ("inputs", "outputs", "checkpoints", "scratch"):
        (directory / folder).mkdir()
    for given in claim.spec.inputs.values():
        storage().fetch_tree(given.manifest, directory / given.path)
    return fetch_checkpoint(claim, directory)


def fetch_checkpoint(claim: Claim, directory: Path) -> Prepared:
    """The newest whole one; a truncated or changed one is passed over for the one before."""
    prepared = Prepared()
    for step, manifest in claim.checkpoints:
        folder = directory / "resume" / str(step)
        try:
            storage().fetch_checkpoint(claim.job_id, step, manifest, folder)
        except (ChecksumMismatch, NotFound) as error:
            log.warning("checkpoint %s of job %s is broken: %s", step, claim.job_id, error)
            prepared.broken.append(step)
            shutil.rmtree(folder, ignore_errors=True)
            continue
        claim.spec.resume_from = f"resume/{step}"
        prepared.resumed_from = step
        break
    return prepared
