"""A dataset goes with its versions, unless a job has read one."""

from pathlib import Path

import pytest
from django.urls import reverse

from apps.core.models import Artefact
from apps.datasets.models import Dataset
from apps.gpucloud.services import submit_job
from tests.datasets.making import make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house, dataset):
    return reverse("datasets:dataset_delete", args=[house.project.slug, dataset.pk])


def test_works(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client("data_scientist").post(url(house, version.dataset)).status_code == 302
    assert not Dataset.objects.exists()
    assert not Artefact.objects.exists()


def test_what_a_job_has_read_stays(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    submit_job(house.actor(), house.project, "datasets.clean", {"dataset": str(version.pk)})
    assert house.client().post(url(house, version.dataset)).status_code == 409
    assert Dataset.objects.exists()


def test_not_allowed(tmp_path: Path):
    house = make_house()
    dataset = make_version(house, tmp_path).dataset
    assert house.client("expert").post(url(house, dataset)).status_code == 403
    assert house.client("stranger").post(url(house, dataset)).status_code == 404
    assert house.client(None).post(url(house, dataset)).status_code == 302
    assert house.client().get(url(house, dataset)).status_code == 405
