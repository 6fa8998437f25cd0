"""TRUST fault 9: a full disk pauses the job with that reason, leaves nothing half made, and costs nothing once there is
space again. Full are, in turn, the node, storage, the web process's uploads and the gateway's spool."""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.core.models import Artefact, Upload
from apps.core.services.uploads import part_path
from apps.core.storage import storage
from apps.gpucloud.models import Job, Lease
from apps.gpucloud.services import cancel_job
from apps.lms.gateway.spool import Spool
from apps.lms.models import Usage
from tests.core.test_uploads import announce, send
from tests.factories import make_house
from tests.faults.history import Answer, History
from tests.faults.test_killed_runs import whole
from tests.lms import serving

pytestmark = pytest.mark.fault

STEPS = 150
"""Seconds of work: a busy machine sees late how far a job has come, and fills the disk later still."""
SIZE_MIB = 48


class Disk:
    """A small disk that can be filled to the last byte."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ballast = path / "ballast"

    def fill(self) -> None:
        with self.ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(64 << 10))
        with self.ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x")

    def empty(self) -> None:
        self.ballast.unlink()


@pytest.fixture
def make_disk() -> Iterator[Any]:
    """Disks in memory; they need the right to mount."""
    mounted: list[Path] = []

    def make(path: Path, size_mib: int = SIZE_MIB) -> Disk:
        path.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(path)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk is not allowed here")
        mounted.append(path)
        return Disk(path)

    yield make
    for path in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def place(make_disk: Any, installation: Any) -> Iterator[Any]:
    """Its node `small` ends before its disk goes."""
    installation.nodes()
    yield installation
    installation.nodes()


@pytest.fixture
def bare_place(make_disk: Any, bare: Any) -> Iterator[Any]:
    """An installation whose processes end before its disks go."""
    yield bare
    bare.end()


def paused(installation: Any, job: Job) -> Job:
    def look() -> bool:
        job.refresh_from_db()
        return job.state == "paused"

    installation.until(look, 40, "the pause")
    return job


def run_and_fill(place: Any, disk: Disk) -> Job:
    """A job on the node `small` that has met a full disk."""
    place.nodes("small")
    job: Job = place.submit(steps=STEPS, seconds_per_step=0.05, checkpoint_every=5)
    place.reached(job, 12)
    disk.fill()
    return paused(place, job)


def test_a_full_node_pauses_the_job_until_there_is_space(make_disk: Any, place: Any) -> None:
    disk = make_disk(place.home / "small")
    job = run_and_fill(place, disk)
    assert job.reason["code"] == "disk_full"
    assert (job.reason["data"]["where"], job.reason["data"]["node"]) == ("node", "small")
    assert job.reason["data"]["needed_mib"] >= 16
    assert not Artefact.objects.filter(job_id=job.pk).exists()
    assert not Lease.objects.filter(released_at__isnull=True).exists()
    assert job.failures == 0
    time.sleep(3)
    job.refresh_from_db()
    assert (job.state, job.attempts.count()) == ("paused", 1), "it waits for space, and does not spin"
    assert not list(Path(job.attempts.get().run_dir).glob("outputs/*"))
    disk.empty()
    whole(place.ended(job), STEPS)
    assert job.attempts.latest("number").resumed_from_step >= 5
    place.check_history()


def test_a_job_that_waits_for_space_can_be_cancelled(make_disk: Any, place: Any) -> None:
    disk = make_disk(place.home / "small")
    disk.fill()  # before its agent comes: nothing can even be prepared
    disk.ballast.open("r+b").truncate(disk.ballast.stat().st_size - (1 << 20))
    place.nodes("small")
    disk.fill()
    job = place.submit(steps=5)
    paused(place, job)
    cancel_job(place.house.actor("engineer"), job)
    job.refresh_from_db()
    assert job.state == "cancelled"
    disk.empty()
    place.check_history()


def test_another_node_with_space_takes_the_job(make_disk: Any, place: Any) -> None:
    job = run_and_fill(place, make_disk(place.home / "small"))
    place.nodes("small", "north")
    whole(place.ended(job), STEPS)
    assert job.attempts.latest("number").node.name == "north"
    place.check_history()


def test_full_storage_loses_no_result(make_disk: Any, bare_place: Any) -> None:
    disk = make_disk(bare_place.home / "storage")
    bare_place.start_core()
    bare_place.nodes("north")
    job = bare_place.submit(steps=STEPS, seconds_per_step=0.05, checkpoint_every=5)
    bare_place.reached(job, 12)
    disk.fill()
    paused(bare_place, job)
    assert job.reason["data"]["where"] == "storage"
    assert job.progress["done"] < STEPS, "nobody computes for long what cannot be stored"
    assert not Artefact.objects.exists()
    assert not [path for path in (disk.path / "tmp").glob("*") if path.is_file()]
    disk.empty()
    whole(bare_place.ended(job), STEPS)
    assert Artefact.objects.filter(job_id=job.pk).count() == 1
    bare_place.check_history()


def test_an_upload_goes_on_where_it_was(make_disk: Any, transactional_db: None, tmp_path: Path, settings: Any) -> None:
    """The client is told 507, nothing of the torn part counts, and the same upload ends well later."""
    disk = make_disk(tmp_path / "web", 8)
    settings.AIFS_HOME, settings.STORAGE_URL = disk.path, f"file://{disk.path / 'storage'}"
    house = make_house()
    client = house.api("expert")
    content = os.urandom(1 << 20)
    location = announce(client, house, len(content))["Location"]
    assert send(client, location, 0, content[:1000]).status_code == 204
    disk.fill()
    refused = send(client, location, 1000, content[1000:])
    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    assert client.head(location)["Upload-Offset"] == "1000"
    disk.empty()
    assert send(client, location, 1000, content[1000:]).status_code == 204
    upload = Upload.objects.get()
    with storage().open(upload.sha256) as stored:
        assert stored.read() == content
    assert not part_path(upload).exists()
    assert not History(serving.database_url(), disk.path / "storage", [disk.path]).violations()


def record(number: int) -> dict[str, Any]:
    return {
        "response_id": f"chatcmpl-{number:04d}", "project": None, "api_key": None, "deployment": None, "model": "m",
        "prompt_tokens": 1, "cached_tokens": 0, "completion_tokens": number, "ttft_ms": None, "duration_ms": 1.0,
        "status": 200, "at": time.time(),
    }  # fmt: skip


def test_bills_survive_a_full_spool(make_disk: Any, transactional_db: None, tmp_path: Path) -> None:
    """What the disk does not take waits in memory and reaches the ledger all the same, each bill once."""
    disk = make_disk(tmp_path / "gateway", 1)

    async def spend() -> None:
        spool = Spool(disk.path / "usage-1", serving.database_url())
        spool.start()
        spool.put("usage", record(0))
        disk.fill()
        for number in range(1, 200):
            spool.note(record(number))
            spool.put("usage", record(number))
        await asyncio.sleep(2.5)
        disk.empty()
        for number in range(200, 210):
            spool.put("usage", record(number))
        await asyncio.sleep(2.5)
        assert spool.pending == 0
        await spool.stop()

    asyncio.run(spend())
    assert sorted(Usage.objects.values_list("completion_tokens", flat=True)) == list(range(210))
    assert not list(disk.path.glob("*/*.jsonl")) or all(not path.read_bytes() for path in disk.path.glob("*/*.jsonl"))
    answers = [Answer(f"chatcmpl-{number:04d}", number, 1) for number in range(210)]
    assert not History(serving.database_url(), tmp_path / "storage", [tmp_path], answers=answers).violations()
