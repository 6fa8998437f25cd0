"""`/api/v1/datasets/` and `/api/v1/dataset-versions/`."""

import json
from pathlib import Path

import pytest
from django.urls import reverse

from apps.datasets import services
from tests.datasets.making import ROWS, as_lines, make_cleaned, make_upload, make_version
from tests.datasets.test_version_export import body
from tests.factories import make_house

pytestmark = pytest.mark.django_db
SETS, VERSIONS = "/api/v1/datasets/", "/api/v1/dataset-versions/"


def test_datasets_are_listed_with_their_newest_version(tmp_path: Path):
    house = make_house()
    version = make_cleaned(house, tmp_path)
    (row,) = house.api("viewer").get(SETS).json()["results"]
    assert (row["name"], row["version_count"], row["newest"], row["version"]) == ("facts", 2, str(version.pk), 2)
    assert (row["format"], row["rows"], row["project"]) == ("messages", 3, house.project.slug)


def test_create_change_and_delete():
    house = make_house()
    made = house.api("expert").post(SETS, {"name": "tides", "kind": "industry", "id": "x"}, "application/json")
    assert made.status_code == 201
    place = f"{SETS}{made.json()['id']}/"
    changed = (
        house.api("expert").patch(place, {"description": "High and low.", "name": "no"}, "application/json").json()
    )
    assert (changed["description"], changed["name"]) == ("High and low.", "tides")
    assert house.api("expert").delete(place).status_code == 403
    assert house.api("engineer").delete(place).status_code == 204
    assert house.api().get(place).status_code == 404


@pytest.mark.parametrize(
    "given", [{}, {"name": ""}, {"name": "x" * 121}, {"name": "ok", "kind": "odd"}, {"name": ["a"]}]
)
def test_bad_input_is_a_problem(given):
    house = make_house()
    answer = house.api().post(SETS, given, "application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["data"]["errors"]


def test_a_taken_name_is_a_conflict():
    house = make_house()
    services.create_dataset(house.actor(), house.project, name="tides")
    assert house.api().post(SETS, {"name": "tides"}, "application/json").status_code == 409


def test_versions_are_found_by_name_and_number(tmp_path: Path):
    house = make_house()
    make_cleaned(house, tmp_path)
    client = house.api("viewer")
    newest, first = client.get(f"{VERSIONS}?dataset=facts").json()["results"]
    assert (newest["number"], first["number"]) == (2, 1)
    assert first["rows_in"] == first["rows"] + first["quarantined"]
    assert newest["rows_in"] == newest["rows"] + newest["dropped"]
    assert newest["dataset_name"] == "facts"
    only = client.get(f"{VERSIONS}?dataset={newest['dataset']}&number=1&format=messages").json()["results"]
    assert [row["id"] for row in only] == [first["id"]]
    assert client.get(f"{VERSIONS}?dataset=other").json()["results"] == []
    assert client.get(f"{VERSIONS}?owner__password=x").status_code == 400


def test_rows_are_paged(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    client = house.api("viewer")
    page = client.get(f"{VERSIONS}{version.pk}/rows/?offset=1&limit=2").json()
    assert (len(page["rows"]), page["offset"], page["count"], page["next"]) == (2, 1, 4, 3)
    assert page["rows"][1]["messages"][0]["content"] == "Where does a bad row go?"
    assert client.get(f"{VERSIONS}{version.pk}/rows/?offset=9").json()["rows"] == []
    assert client.get(f"{VERSIONS}{version.pk}/rows/?offset=-1").status_code == 400
    assert client.get(f"{VERSIONS}{version.pk}/preview/?limit=1").json()["count"] == 4


def test_quarantine_and_dropped(tmp_path: Path):
    house = make_house()
    version = make_cleaned(house, tmp_path)
    first = version.dataset.versions.get(number=1)
    client = house.api("viewer")
    (bad,) = client.get(f"{VERSIONS}{first.pk}/quarantine/").json()["rows"]
    assert (bad["row"], bad["reason"], bad["raw"]) == (3, "bad_json", "{broken")
    (gone,) = client.get(f"{VERSIONS}{version.pk}/dropped/").json()["rows"]
    assert (gone["row"], gone["step"], gone["detail"]) == (2, "exact_duplicates", "1")
    assert client.get(f"{VERSIONS}{first.pk}/dropped/").json()["rows"] == []


def test_export(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    lines = body(house.api("viewer").get(f"{VERSIONS}{version.pk}/export/?format=jsonl")).decode().splitlines()
    assert len([json.loads(line) for line in lines]) == 4
    assert house.api().get(f"{VERSIONS}{version.pk}/export/?format=exe").status_code == 400


def test_a_preview_of_an_upload(tmp_path: Path):
    house = make_house()
    upload = make_upload(house, tmp_path, as_lines(ROWS))
    found = house.api("expert").post(f"{VERSIONS}preview/", {"upload": str(upload.pk)}, "application/json").json()
    assert (found["format"], found["form"], found["rows_read"], found["quarantined"]) == ("alpaca", "messages", 5, 1)
    given = {"upload": str(upload.pk), "format": "nonsense"}
    assert house.api().post(f"{VERSIONS}preview/", given, "application/json").status_code == 404
    assert house.api("viewer").post(f"{VERSIONS}preview/", given, "application/json").status_code == 403
    theirs = {"upload": str(upload.pk), "project": house.other_project.slug}
    assert house.api("stranger").post(f"{VERSIONS}preview/", theirs, "application/json").status_code == 404


def test_a_trial_of_a_recipe(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    place = f"{VERSIONS}{version.pk}/trial/"
    found = house.api("viewer").post(place, {"steps": [{"step": "exact_duplicates"}]}, "application/json").json()
    assert (found["rows_in"], found["rows"]) == (4, 3)
    assert house.api().post(place, {"steps": [{"step": "polish"}]}, "application/json").status_code == 400
    assert house.api().post(place, {"steps": "all"}, "application/json").status_code == 400


@pytest.mark.parametrize("part", ["", "rows/", "quarantine/", "dropped/", "preview/", "export/"])
def test_somebody_elses_version_is_404(tmp_path: Path, part: str):
    house = make_house()
    version = make_version(house, tmp_path)
    assert house.api("stranger").get(f"{VERSIONS}{version.pk}/{part}").status_code == 404
    assert house.client(None).get(f"{VERSIONS}{version.pk}/{part}").status_code in (401, 403)


def test_routes_are_named():
    assert reverse("dataset-version-preview-upload") == f"{VERSIONS}preview/"
