"""TRUST fault 12: rows that are broken in every way a row can be cost nobody but themselves, through real processes."""

import json

import pytest

from apps.core.models import Artefact
from apps.datasets import selectors
from apps.datasets.models import DatasetVersion
from apps.gpucloud.services import submit_job
from tests.datasets.making import make_upload
from tests.workers.datasets.test_import import GOOD, POISON

pytestmark = pytest.mark.fault


def test_poisoned_rows_are_set_aside_and_the_rest_comes_in(installation, tmp_path, settings):
    settings.STORAGE_URL = f"file://{installation.home / 'storage'}"
    good = json.dumps(GOOD).encode()
    content = b"\n".join([good, *(row for poison in POISON.values() for row in (poison, good))])
    upload = make_upload(installation.house, tmp_path, content)
    installation.nodes("north")
    params = {"source": str(upload.pk), "name": "poisoned"}
    job = submit_job(installation.house.actor("expert"), installation.house.project, "datasets.import", params)
    assert installation.ended(job, 80).state == "succeeded", job.reason
    version = DatasetVersion.objects.get(pk=job.outputs["dataset"]["id"])
    assert version.rows_in == version.rows + version.quarantined == 2 * len(POISON) + 1
    found = [(row["row"], row["reason"]) for row in selectors.read_rows(version, "quarantine")]
    assert found == [(2 * index + 2, reason) for index, reason in enumerate(POISON)]
    assert len(selectors.read_rows(version, "data")) == len(POISON) + 1
    assert job.attempts.get().peak_memory_mib < 600  # the 50 MB row was never held
    installation.check_history()


def test_a_file_of_poison_alone_fails_with_its_reason_and_leaves_nothing(installation, tmp_path, settings):
    settings.STORAGE_URL = f"file://{installation.home / 'storage'}"
    upload = make_upload(installation.house, tmp_path, b"\n".join(POISON.values()))
    installation.nodes("north")
    params = {"source": str(upload.pk), "name": "poison", "format": "alpaca"}
    job = submit_job(installation.house.actor("expert"), installation.house.project, "datasets.import", params)
    assert installation.ended(job, 80).state == "failed"
    assert job.reason["code"] == "no_usable_rows"
    assert job.reason["data"]["row"] == 1
    assert set(job.reason["data"]["reasons"]) == set(POISON)
    assert job.attempts.count() == 1
    assert not Artefact.objects.filter(job_id=job.pk).exists()
    assert not DatasetVersion.objects.filter(dataset__name="poison").exists()
    installation.check_history()
