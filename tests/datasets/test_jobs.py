"""What becomes of import and cleaning jobs: one version each, however often `finish` is called."""

from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from django.utils.translation import gettext

from apps.core import artefact_types
from apps.core.errors import InvalidInput, translate
from apps.core.models import Artefact, LineageEdge
from apps.core.selectors import find_artefact
from apps.core.storage import storage
from apps.datasets.models import DatasetVersion
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Attempt, Job, Node
from apps.gpucloud.services import submit_job
from tests.datasets.making import ROWS, as_lines, make_upload, make_version
from tests.factories import House, make_house
from tests.workers.datasets.running import Outcome, run_clean, run_import

pytestmark = pytest.mark.django_db


def finished(job: Job, outcome: Outcome) -> Attempt:
    """An attempt as the agent leaves it before `finish`."""
    manifest = storage().put_tree(outcome.directory / "outputs/dataset")
    node, _made = Node.objects.get_or_create(name="here")
    output: dict[str, Any] = {"type": "dataset_version", "manifest": manifest, "meta": outcome.meta}
    return Attempt.objects.create(job=job, number=1, node=node, fence=job.pk.int % 10**9, outputs={"dataset": output})


def imported(house: House, tmp_path: Path, name: str = "facts") -> tuple[Job, Attempt]:
    upload = make_upload(house, tmp_path, as_lines(ROWS))
    job = submit_job(house.actor("expert"), house.project, "datasets.import", {"source": str(upload.pk), "name": name})
    return job, finished(job, run_import(tmp_path / f"run-{job.pk}", as_lines(ROWS)))


def test_an_import_makes_one_version_however_often_it_finishes(tmp_path: Path):
    house = make_house()
    job, attempt = imported(house, tmp_path)
    first = handler_for(job.kind).finish(job, attempt)
    again = handler_for(job.kind).finish(job, attempt)
    version = DatasetVersion.objects.get()
    assert first == again
    assert first["dataset"]["id"] == str(version.pk)
    assert first["dataset"]["name"] == "facts:1"
    assert (version.dataset.kind, version.dataset.created_by) == ("instruction", house.expert)
    assert version.report["reasons"] == {"bad_json": 1}


def test_the_same_name_gets_the_next_version(tmp_path: Path):
    house = make_house()
    for number in (1, 2):
        job, attempt = imported(house, tmp_path)
        assert handler_for(job.kind).finish(job, attempt)["dataset"]["version"] == number


@pytest.mark.parametrize(("name", "expected"), [("", "facts:2"), ("tidy", "tidy:1")])
def test_cleaning_makes_a_child_in_the_lineage(tmp_path: Path, name: str, expected: str):
    house = make_house()
    parent = make_version(house, tmp_path)
    parent.dataset.kind = "private"
    parent.dataset.save()
    job = submit_job(house.actor(), house.project, "datasets.clean", {"dataset": "facts", "name": name})
    source = run_import(tmp_path / "a", as_lines(ROWS))
    output = handler_for(job.kind).finish(job, finished(job, run_clean(tmp_path / "b", source)))["dataset"]
    assert output["name"] == expected
    edge = LineageEdge.objects.get()
    assert (edge.parent_id, str(edge.child_id), edge.role) == (parent.pk, output["id"], "dataset")
    assert DatasetVersion.objects.get(pk=output["id"]).dataset.kind == "private"


def test_versions_are_found_by_name_and_number(tmp_path: Path):
    house = make_house()
    first, second = make_version(house, tmp_path / "a"), make_version(house, tmp_path / "b")
    odd = make_version(house, tmp_path / "c", name="odd:2")
    found = {ref: find_artefact(house.project, "dataset_version", ref).pk for ref in ("facts", "facts:1", "facts:2")}
    assert found == {"facts": second.pk, "facts:1": first.pk, "facts:2": second.pk}
    assert find_artefact(house.project, "dataset_version", "odd:2").pk == odd.pk
    assert find_artefact(house.project, "dataset_version", "odd:2:1").pk == odd.pk
    meta = artefact_types.meta(Artefact.objects.get(pk=first.pk))
    assert (meta["dataset"], meta["number"], meta["format"], meta["rows"]) == ("facts", 1, "messages", 4)


@pytest.mark.parametrize(
    ("kind", "params", "field"),
    [
        ("datasets.import", {"source": "0199f6d2-0000-7000-8000-000000000000", "name": "x"}, "source"),
        ("datasets.import", {"name": "x"}, "source"),
        ("datasets.clean", {"dataset": "nothing"}, "dataset"),
        ("datasets.clean", {"dataset": "facts", "steps": [{"step": "polish"}]}, "steps"),
        ("datasets.clean", {"dataset": "facts", "colour": 1}, "colour"),
    ],
)
def test_wrong_parameters_name_the_field(tmp_path: Path, kind: str, params: dict[str, Any], field: str):
    house = make_house()
    make_version(house, tmp_path)
    with pytest.raises(InvalidInput) as caught:
        submit_job(house.actor(), house.project, kind, params)
    assert caught.value.data["errors"][0]["field"] == field


def test_why_an_import_failed_is_told_in_the_readers_language(tmp_path: Path):
    error = run_import(tmp_path, b"{broken").last("error")
    with translation.override("zh-hans"):
        told = translate(error["message"], error["data"])
        assert gettext("Malformed JSON") in told
        assert "rows.jsonl" in told
    assert "Malformed JSON" in translate(error["message"], error["data"])


def test_cleaning_millions_of_rows_gets_the_memory_to_remember_them(tmp_path: Path):
    house = make_house()
    version = make_version(house, tmp_path)
    params = {"dataset": str(version.pk), "steps": [{"step": "near_duplicates"}]}
    few = submit_job(house.actor("expert"), house.project, "datasets.clean", params)
    DatasetVersion.objects.update(rows=5_000_000)
    many = submit_job(house.actor("expert"), house.project, "datasets.clean", params)
    assert few.resources["memory_mib"] == 4096
    assert many.resources["memory_mib"] > 12_000, "2.5 KB a row and half as much to spare"
