"""The recipe editor's button: the cleaning starts."""

from pathlib import Path

import pytest
from django.urls import reverse

from apps.gpucloud.models import Job
from tests.datasets.making import make_version
from tests.factories import make_house
from workers.datasets.recipes import default_recipe

pytestmark = pytest.mark.django_db


def url(house, version):
    return reverse("datasets:clean_create", args=[house.project.slug, version.pk])


def test_shows_every_step_with_the_default_recipe_switched_on(tmp_path: Path):
    house = make_house()
    page = house.client("expert").get(url(house, make_version(house, tmp_path))).content.decode()
    assert page.count("checked>") >= len(default_recipe())
    assert "Remove near duplicates" in page
    assert "Mask personal data" in page


def test_the_chosen_steps_become_a_job(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    chosen = {"length_filter-use": "on", "length_filter-part": "answer", "length_filter-min_characters": "9"}
    data = chosen | {"length_filter-max_characters": "100", "html-use": "on", "name": "tidy facts"}
    answer = house.client("expert").post(url(house, version), data)
    job = Job.objects.get()
    assert answer.url == reverse("gpucloud:job_detail", args=[house.project.slug, job.pk])
    assert job.params == {
        "dataset": str(version.pk),
        "name": "tidy facts",
        "steps": [
            {"step": "html"},
            {"step": "length_filter", "part": "answer", "min_characters": 9, "max_characters": 100},
        ],
    }
    assert job.inputs.get().artefact == version.artefact


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "at least one step"),
        ({"length_filter-use": "on", "length_filter-min_characters": "-4"}, "field-error"),
        ({"html-use": "on", "name": "x" * 121}, "too long"),
    ],
)
def test_bad_input_stays_on_the_page(tmp_path: Path, data: dict[str, str], words: str):
    house = make_house()
    answer = house.client().post(url(house, make_version(house, tmp_path)), data)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not Job.objects.exists()


def test_not_allowed(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client(None).get(url(house, version)).status_code == 302
    assert house.client("viewer").post(url(house, version), {"html-use": "on"}).status_code == 403
    assert house.client("stranger").get(url(house, version)).status_code == 404
