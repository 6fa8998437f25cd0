"""What a version came from and what was made of it, on a tab of its own."""

from pathlib import Path

import pytest
from django.urls import reverse

from apps.core import services
from tests.datasets.making import make_cleaned, make_version
from tests.factories import make_house, make_project

pytestmark = pytest.mark.django_db


def url(project, version):
    return reverse("datasets:version_lineage", args=[project.slug, version.pk])


def test_works(tmp_path: Path):
    house = make_house()
    page = house.client("viewer").get(url(house.project, make_cleaned(house, tmp_path))).content.decode()
    assert "<lineage-graph" in page and "facts:1" in page and "facts:2" in page
    assert 'aria-current="page"' in page[page.index("Overview") :]


def test_it_is_linked_from_every_tab(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    for name in ("version_detail", "version_rows", "version_quarantine"):
        page = house.client("viewer").get(reverse(f"datasets:{name}", args=[house.project.slug, version.pk]))
        assert url(house.project, version) in page.content.decode(), name


def test_not_allowed(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.client(None).get(url(house.project, version)).status_code == 302
    assert house.client("stranger").get(url(house.project, version)).status_code == 404


def test_where_it_is_shared_the_tab_is_not_theirs(tmp_path: Path):
    house = make_house()
    version, quay = make_version(house, tmp_path), make_project("quay", house.stranger)
    quay.memberships.create(user=house.owner, role="data_scientist")
    services.share_artefact(house.actor(), version.artefact, project="quay")
    reader = house.client("stranger")
    assert reader.get(url(quay, version)).status_code == 404
    rows = reader.get(reverse("datasets:version_rows", args=["quay", version.pk]))
    assert rows.status_code == 200 and url(quay, version) not in rows.content.decode()
