"""The page of one version."""

from html import escape
from pathlib import Path

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.models import Artefact
from apps.gpucloud import details
from apps.gpucloud.models import Job
from tests.datasets.making import make_cleaned, make_version
from tests.factories import make_house, make_project

pytestmark = pytest.mark.django_db


def url(house, version):
    return reverse("datasets:version_detail", args=[house.project.slug, version.pk])


def made_by(version, project):
    """A job of a project, and the version says that this one made it."""
    job = Job.objects.create(project=project, kind="datasets.import", params={"name": "facts", "told": "a secret"})
    Artefact.objects.filter(pk=version.pk).update(job_id=job.pk)
    return job


def test_works(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert (version.rows_in, version.rows, version.quarantined) == (5, 4, 1)
    page = house.client("viewer").get(url(house, version)).content.decode()
    assert "A house for models" in page
    assert "Alpaca" in page
    assert "Malformed JSON" in page
    assert version.artefact.sha256 in page
    assert "datasets/_" not in page


def test_cleaning_is_told_step_by_step(tmp_path: Path):
    house = make_house()
    version = make_cleaned(house, tmp_path)
    assert (version.number, version.dropped) == (2, 1)
    page = house.client().get(url(house, version)).content.decode()
    assert "Remove exact duplicates" in page
    assert "Same as an earlier row" in page
    assert "facts:1" in page


def test_actions_follow_the_role(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    clean = reverse("datasets:clean_create", args=[house.project.slug, version.pk])
    assert clean in house.client("expert").get(url(house, version)).content.decode()
    assert clean not in house.client("viewer").get(url(house, version)).content.decode()


def test_the_spec_is_that_of_the_job_that_made_it(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    job = made_by(version, house.project)
    answer = house.client("viewer").get(url(house, version) + "?tab=spec")
    page = answer.content.decode()
    assert answer.context["snippets"] == details.snippets(job)
    assert all(escape(row["code"]) in page for row in details.snippets(job))
    assert reverse("gpucloud:job_detail", args=[house.project.slug, job.pk]) in page
    assert [row["label"] for row in answer.context["tabs"] if row["active"]] == ["Spec"]
    assert "The first rows" not in page
    assert "How it was made" in house.client("viewer").get(url(house, version)).content.decode()


@pytest.mark.parametrize("where", ["nowhere", "gone", "another project"])
def test_without_a_job_of_the_project_the_spec_says_so(tmp_path: Path, where: str):
    """Not even to somebody who may see the other project: its jobs are shown there."""
    house = make_house()
    version = make_version(house, tmp_path)
    if where != "nowhere":
        job = made_by(version, house.other_project if where == "another project" else house.project)
        house.other_project.memberships.create(user=house.expert, role="viewer")
    if where == "gone":
        job.delete()
    page = house.client("expert").get(url(house, version) + "?tab=spec").content.decode()
    assert "This project holds no job that made this" in page and "a secret" not in page
    assert "How it was made" not in house.client("expert").get(url(house, version)).content.decode()


def test_where_it_is_shared_there_is_no_spec(tmp_path: Path):
    house = make_house()
    version, quay = make_version(house, tmp_path), make_project("quay", house.stranger)
    quay.memberships.create(user=house.owner, role="data_scientist")
    services.share_artefact(house.actor(), version.artefact, project="quay")
    reader = house.client("stranger")
    shared = reader.get(reverse("datasets:version_detail", args=["quay", version.pk]) + "?tab=spec")
    assert shared["Location"] == reverse("core:shared_detail", args=["quay", version.pk])
    rows = reader.get(reverse("datasets:version_rows", args=["quay", version.pk])).content.decode()
    assert "?tab=spec" not in rows


def test_signed_out_goes_to_sign_in(tmp_path: Path):
    house = make_house()
    assert house.client(None).get(url(house, make_version(house, tmp_path))).status_code == 302


def test_somebody_elses_is_404(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client("stranger").get(url(house, version)).status_code == 404
    inside_other = reverse("datasets:version_detail", args=[house.other_project.slug, version.pk])
    assert house.client("stranger").get(inside_other).status_code == 404


def test_markup_in_rows_is_inert(tmp_path: Path):
    house = make_house()
    rows = [{"instruction": "<script>alert(1)</script>", "output": "<img src=x onerror=alert(1)>"}]
    page = house.client().get(url(house, make_version(house, tmp_path, rows=rows))).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
