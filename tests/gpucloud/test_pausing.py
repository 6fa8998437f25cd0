"""Jobs that found a disk full wait for space and ask for it; what nobody counts is removed from storage."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from aifs.backup.making import checkpoints_stay
from apps.core.storage import Storage, storage
from apps.gpucloud.models import Job, Node
from apps.gpucloud.services import cancel_job
from apps.gpucloud.services.attempts import close_paused
from apps.gpucloud.services.checkpoints import register_checkpoint, remove_strays
from apps.gpucloud.services.pausing import AGAIN_AFTER_S, UNCERTAIN_S, Full, go_on_after_pause
from apps.gpucloud.services.transitions import NO_PAUSE
from tests.gpucloud.pieces import fresh, make_node, schedule, started
from workers import disk

pytestmark = pytest.mark.django_db

FULL = Full("node", 0, 500)


def pause(job: Job, full: Full = FULL) -> None:
    claim = started(job)
    close_paused(claim.attempt_id, claim.fence, full, {"code": disk.FULL_EXIT})


def later(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() - timedelta(seconds=1))


def test_it_waits_for_a_node_with_space_and_asks_for_it(check, node):
    job = check()
    schedule()
    pause(job)
    assert (fresh(job).state, fresh(job).failures, fresh(job).reason["code"]) == ("paused", 0, "disk_full")
    assert Node.objects.get(pk=node.pk).disk_free_mib == 0, "its last word was older than the full disk"
    later(job)
    assert schedule().placed == 0
    assert timedelta(seconds=UNCERTAIN_S) < NO_PAUSE
    Node.objects.filter(pk=node.pk).update(disk_free_mib=499)
    assert go_on_after_pause(timezone.now()) == 0
    make_node("roomy", disk_free_mib=501)
    assert schedule().placed == 1
    job = fresh(job)
    assert job.resources["disk_mib"] == 500
    assert job.attempts.latest("number").node.name == "roomy"


def test_it_says_that_it_waits_for_space(check, node):
    job = check(resources={"disk_mib": 60_000})
    schedule()
    assert fresh(job).reason["code"] == "disk_busy"
    assert fresh(job).reason["data"] == {"disk_mib": 60_000}


@pytest.mark.parametrize(("free_mib", "wait_s"), [(0, AGAIN_AFTER_S), (600, UNCERTAIN_S)])
def test_a_disk_that_has_room_again_is_tried_less_eagerly(check, node, free_mib, wait_s):
    """It was full for a moment; a run that meets its end at the same point again must not spin."""
    job = check()
    schedule()
    pause(job, Full("node", free_mib, 500))
    wait = (fresh(job).not_before - timezone.now()).total_seconds()
    assert wait_s - 2 < wait <= wait_s


def test_full_storage_is_asked_itself(check, node, tmp_path, settings):
    settings.STORAGE_URL = f"file://{tmp_path}"
    job = check()
    schedule()
    pause(job, Full("storage", 0, disk.free_mib(tmp_path) + 1_000_000))
    later(job)
    assert go_on_after_pause(timezone.now()) == 0
    Job.objects.filter(pk=job.pk).update(reason={"data": {"where": "storage", "needed_mib": 1}})
    assert go_on_after_pause(timezone.now()) == 1
    assert fresh(job).state == "queued"


def test_a_paused_job_is_cancelled_at_once(check, node, house):
    job = check()
    schedule()
    pause(job)
    cancel_job(house.actor("engineer"), job)
    assert fresh(job).state == "cancelled"


def test_a_job_that_was_to_be_cancelled_is_not_paused(check, node, house):
    job = check()
    schedule()
    claim = started(job)
    cancel_job(house.actor("engineer"), job)
    close_paused(claim.attempt_id, claim.fence, FULL, {})
    assert fresh(job).state == "cancelled"


def test_strays_go_and_what_counts_stays(check, node, tmp_path, settings):
    """A job that runs may have one on its way into the records; nobody comes back for those of a job that has ended."""
    settings.STORAGE_URL = f"file://{tmp_path / 'storage'}"
    job, files = check(), tmp_path / "files"
    files.mkdir()
    (files / "state.json").write_text("{}")
    schedule()
    claim = started(job)
    for step in (1, 2, 3):
        manifest = storage().put_checkpoint(job.pk, step, files)
        if step == 2:
            register_checkpoint(claim.attempt_id, claim.fence, step, manifest, {})
    storage().put_checkpoint("01890000-0000-7000-8000-000000000000", 1, files)
    assert remove_strays() == 2
    assert sorted(storage().list_checkpoints()) == [(str(job.pk), 2), (str(job.pk), 3)]
    Job.objects.filter(pk=job.pk).update(state="failed")
    assert remove_strays() == 1
    assert storage().list_checkpoints() == [(str(job.pk), 2)], "a failed job can be resumed from it"


def test_oldercheckpoints_stay_while_a_backup_is_made(check, node, settings):
    settings.DATABASE_URL = f"{settings.DATABASE_URL.rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    job = check()
    schedule()
    claim = started(job)

    def register(step):
        return register_checkpoint(claim.attempt_id, claim.fence, step, {"a": {"sha256": "0" * 64, "size": 1}}, {})

    assert [register(step) for step in (1, 2)] == [[], []]
    with checkpoints_stay(), checkpoints_stay():
        assert [register(step) for step in (3, 4)] == [[], []]
    assert register(5) == [3, 2, 1]


def test_what_a_dead_process_was_writing_goes(tmp_path, settings):
    mine = Storage(f"file://{tmp_path}")
    half = mine._temporary()
    half.write_text("half")
    code = "import sys; from apps.core.storage import Storage; Storage(sys.argv[1])._temporary().mkdir()"
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "DJANGO_SETTINGS_MODULE": "aifs.settings",
                   "SECRET_KEY": settings.SECRET_KEY}  # fmt: skip
    subprocess.run([sys.executable, "-c", code, f"file://{tmp_path}"], env=environment, check=True)
    assert len(list((tmp_path / "tmp").iterdir())) == 2
    assert mine.remove_abandoned() == 1
    assert list((tmp_path / "tmp").iterdir()) == [half]
