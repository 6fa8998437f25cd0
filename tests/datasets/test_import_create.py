"""The import wizard's last step: the job starts."""

import gzip
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.core.models import Upload
from apps.gpucloud.models import Job
from tests.datasets.making import ROWS, as_lines, make_upload
from tests.factories import make_house

pytestmark = pytest.mark.django_db


def url(house):
    return reverse("datasets:import_create", args=[house.project.slug])


def test_shows_the_wizard_with_a_name_from_the_link():
    house = make_house()
    page = house.client("expert").get(url(house) + "?name=facts").content.decode()
    assert "<file-upload" in page
    assert 'value="facts"' in page


def test_an_upload_becomes_a_job(tmp_path: Path):
    house = make_house()
    upload = make_upload(house, tmp_path, as_lines(ROWS))
    answer = house.client("expert").post(url(house), {"source": str(upload.pk), "name": "facts", "kind": "auto"})
    job = Job.objects.get()
    assert (job.kind, job.params["name"], job.params["source"]) == ("datasets.import", "facts", str(upload.pk))
    assert answer.status_code == 302
    assert answer.url == reverse("gpucloud:job_detail", args=[house.project.slug, job.pk])


def test_works_without_scripts_from_a_plain_form():
    house = make_house()
    file = SimpleUploadedFile("rows.jsonl.gz", gzip.compress(as_lines(ROWS)))
    assert house.client().post(url(house), {"source": file, "name": "facts"}).status_code == 302
    assert Job.objects.get().params["source"] == str(Upload.objects.get().pk)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "needed"),
        ({"source": ""}, "needed"),
        ({"format": "nonsense"}, "nonsense"),
        ({"name": "x" * 121}, "120"),
    ],
)
def test_bad_input_stays_on_the_page(tmp_path: Path, fields: dict[str, str], words: str):
    house = make_house()
    upload = make_upload(house, tmp_path, as_lines(ROWS))
    answer = house.client().post(url(house), {"source": str(upload.pk), "name": "facts"} | fields)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "field-error" in page
    assert words in page or "required" in page
    assert not Job.objects.exists()


def test_an_upload_of_another_project_is_refused(tmp_path: Path):
    house = make_house()
    upload = make_upload(house, tmp_path, as_lines(ROWS))
    Upload.objects.update(project=house.other_project)
    assert house.client().post(url(house), {"source": str(upload.pk), "name": "facts"}).status_code == 400


def test_not_allowed():
    house = make_house()
    assert house.client(None).get(url(house)).status_code == 302
    assert house.client("viewer").get(url(house)).status_code == 403
    assert house.client("stranger").get(url(house)).status_code == 404
