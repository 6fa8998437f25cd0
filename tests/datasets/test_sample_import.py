"""`datasets:sample_import`: the rows of the demo, in one click."""

import pytest
from django.urls import reverse

from apps.datasets.samples import SAMPLES
from apps.gpucloud.models import Job
from tests.datasets.making import make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def url(house):
    return reverse("datasets:sample_import", args=[house.project.slug])


def test_it_starts_an_import_for_each_file(house):
    answer = house.client("expert").post(url(house))
    assert answer["Location"] == reverse("core:dashboard", args=[house.project.slug])
    jobs = Job.objects.filter(project=house.project, kind="datasets.import").order_by("id")
    assert [(job.params["name"], job.params["kind"], job.state) for job in jobs] == [
        (name, kind, "queued") for _file, name, kind in SAMPLES
    ]


def test_the_checklist_offers_it_until_there_is_data(house):
    page = reverse("core:dashboard", args=[house.project.slug])
    assert url(house) in house.client("expert").get(page).content.decode()
    assert url(house) not in house.client("viewer").get(page).content.decode()
    house.client("expert").post(url(house))
    assert url(house) not in house.client("expert").get(page).content.decode()  # it is on its way


def test_again_changes_nothing(house, tmp_path):
    make_version(house, tmp_path, SAMPLES[0][1])
    page = house.client("expert").post(url(house), follow=True).content.decode()
    assert "The sample data is here already." in page
    assert not Job.objects.filter(kind="datasets.import").exists()


@pytest.mark.parametrize(("part", "status"), [("viewer", 403), ("stranger", 404), (None, 302)])
def test_who_may(house, part, status):
    assert house.client(part).post(url(house)).status_code == status
    assert not Job.objects.exists()


def test_it_takes_a_post(house):
    assert house.client("expert").get(url(house)).status_code == 405
