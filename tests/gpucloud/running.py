"""Runs a submitted job as its node would: the real child in a folder of its own, its events and files into the
records, its results registered. No agent, no devices, no waiting."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.core.storage import manifest_sha256, manifest_size, storage
from apps.gpucloud.agent.files import parse_events
from apps.gpucloud.models import Job
from apps.gpucloud.services.attempts import hand_to_finisher
from apps.gpucloud.services.checkpoints import register_checkpoint
from apps.gpucloud.services.events import Batch, store_batch
from apps.gpucloud.services.finishing import finish_attempt
from tests.gpucloud.pieces import fresh, schedule, started
from tests.workers import tiny, warm
from workers.spec import Spec


def run_job(job: Job, directory: Path, plant: Callable[[Spec, Path], None] | None = None, threads: int = 1) -> Job:
    """The job once it has ended. plant: called before the child starts, to change what it finds."""
    directory.mkdir()
    schedule()
    claim = started(job)
    for name in ("outputs", "checkpoints", "scratch"):
        (directory / name).mkdir()
    for given in claim.spec.inputs.values():
        storage().fetch_tree(given.manifest, directory / given.path)
    claim.spec.cpus = threads
    if plant:
        plant(claim.spec, directory)
    claim.spec.write(directory / "spec.json")
    spec = directory / "spec.json"
    # the number of threads is settled when torch is imported
    run = warm.start(spec) if threads == 1 else tiny.start(spec, OMP_NUM_THREADS=str(threads))
    assert run.wait(timeout=300) == 0, (directory / warm.LOG).read_text()[-3000:]
    content = (directory / "events.jsonl").read_bytes()
    events = parse_events([line.decode() for line in content.splitlines()])
    for event in (event for event in events if event["type"] == "checkpoint"):
        folder = directory / event["path"]
        if folder.exists():  # the run itself keeps the newest few only
            manifest = storage().put_checkpoint(job.pk, event["step"], folder)
            register_checkpoint(claim.attempt_id, claim.fence, event["step"], manifest, event["values"])
    store_batch(claim, Batch([event for event in events if event["type"] != "checkpoint"], [], len(content), 0))
    hand_to_finisher(
        claim,
        {event["name"]: _output(event, directory) for event in events if event["type"] == "artefact"},
        {"code": 0},
    )
    assert finish_attempt(claim.attempt_id)
    return fresh(job)


def _output(event: dict[str, Any], directory: Path) -> dict[str, Any]:
    manifest = storage().put_tree(directory / event["path"])
    return {
        "type": event["artefact_type"],
        "manifest": manifest,
        "sha256": manifest_sha256(manifest),
        "size_bytes": manifest_size(manifest),
        "meta": event["meta"],
    }
