"""What nobody will come back for is thrown away; the rest stays."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.core.models import IdempotencyKey, Notification, Upload
from apps.core.services import append_to_upload, create_upload, create_upload_from_file, emit
from apps.core.services.housekeeping import tidy
from apps.core.services.uploads import part_path
from apps.core.storage import storage
from tests.factories import make_house

pytestmark = pytest.mark.django_db
OLD = timezone.now() - timedelta(days=40)


def test_old_unfinished_uploads_go_finished_ones_stay():
    house = make_house()
    actor = house.actor("expert")
    unfinished = create_upload(actor, house.project, "a.csv", 10)
    append_to_upload(actor, unfinished, 0, SimpleUploadedFile("x", b"123"))
    finished = create_upload_from_file(actor, house.project, SimpleUploadedFile("b.csv", b"1,2"))
    Upload.objects.update(created_at=OLD)
    fresh = create_upload(actor, house.project, "c.csv", 10)
    assert tidy()["uploads"] == 1
    assert not part_path(unfinished).exists()
    assert set(Upload.objects.all()) == {finished, fresh}
    assert storage().has(finished.sha256)


def test_old_answers_go():
    house = make_house()
    row = IdempotencyKey.objects.create(project=house.project, key="k", path="/", body_sha256="0" * 64)
    assert tidy()["idempotency_keys"] == 0
    IdempotencyKey.objects.filter(pk=row.pk).update(created_at=OLD)
    assert tidy()["idempotency_keys"] == 1


def test_old_temporary_files_go_fresh_ones_stay():
    folder = Path(storage().root) / "tmp"
    (folder / "half").mkdir(parents=True, exist_ok=True)
    old, fresh = folder / "half" / "old", folder / "fresh"
    for path in (old, fresh):
        path.write_bytes(b"x")
    yesterday = time.time() - 2 * 86_400
    os.utime(old, (yesterday, yesterday))
    assert tidy()["temporary_files"] == 1
    assert not old.exists()
    assert fresh.exists()
    fresh.unlink()


def test_read_notifications_go_after_ninety_days_unread_ones_stay():
    house = make_house()
    for _number in range(3):
        emit("job.failed", house.project, to=[house.owner], job="x")
    unread, read, fresh = Notification.objects.all()
    long_ago = timezone.now() - timedelta(days=91)
    Notification.objects.filter(pk=read.pk).update(read_at=long_ago)
    Notification.objects.filter(pk=fresh.pk).update(read_at=timezone.now() - timedelta(days=89))
    Notification.objects.filter(pk=unread.pk).update(created_at=long_ago)
    assert tidy()["notifications"] == 1
    assert set(Notification.objects.all()) == {unread, fresh}
