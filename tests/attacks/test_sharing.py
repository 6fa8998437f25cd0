"""Attacks on what is shared: reading beyond the version through its rows put aside, its report, its figures, a job's
inputs; and doubtful deeds."""

import json

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.errors import NotFound
from apps.core.models import AuditEvent, Membership, Notification, Share
from apps.gpucloud.models import Job
from apps.gpucloud.services import submit_job
from apps.gpucloud.services.inputs import spec_inputs
from tests.datasets.making import make_version, register
from tests.factories import make_actor, make_house, make_key, make_project
from tests.lmt.making import make_model
from tests.workers.datasets.running import run_clean, run_import
from workers.kinds import kinds

pytestmark = pytest.mark.django_db
MOBILE, DUPLICATE, BROKEN = "13812345678", "Whoever has the key to the cellar?", "{the plans of the cellar"


@pytest.fixture
def house():
    """`owner` of harbour may run jobs in quay; `stranger` owns quay and is nobody in harbour."""
    house = make_house()
    house.quay = make_project("quay", house.stranger)
    Membership.objects.create(project=house.quay, user=house.owner, role="data_scientist")
    house.keys["stranger"] = make_key(house.stranger, house.quay)
    return house


@pytest.fixture
def cleaned(house, tmp_path):
    """Masked and rid of duplicates, as one would before one shares it."""
    rows = [
        {"instruction": f"Call me at {MOBILE}", "output": "I shall."},
        {"instruction": "What is shared?", "output": DUPLICATE},
        {"instruction": "What is shared?", "output": DUPLICATE},
        {"instruction": "And what else?", "output": "Nothing."},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    source = run_import(tmp_path / "import", text.encode(), "rows.jsonl")
    register(house.project, "calls", source)
    return register(
        house.project,
        "calls",
        run_clean(tmp_path / "clean", source, [{"step": "mask_pii"}, {"step": "exact_duplicates"}]),
    )


def share(house, version, **target) -> Share:
    return services.share_artefact(house.actor(), version.artefact, **(target or {"project": "quay"}))


def at(name, project, *args):
    return reverse(name, args=[project.slug, *args])


# --- beyond the version


def test_rows_put_aside_are_not_shared(house, cleaned):
    """What cleaning left out, and rows before they were masked, are rows of the version before."""
    share(house, cleaned)
    own = house.client("viewer").get(at("datasets:version_detail", house.project, cleaned.pk)).content.decode()
    assert MOBILE in own, "the attack has something to find"
    reader, api = house.client("stranger"), house.api("stranger")
    for part in ("dropped", "quarantine"):
        assert house.client("viewer").get(at(f"datasets:version_{part}", house.project, cleaned.pk)).status_code == 200
        assert reader.get(at(f"datasets:version_{part}", house.quay, cleaned.pk)).status_code == 404
        assert api.get(reverse(f"dataset-version-{part}", args=[cleaned.pk])).status_code == 404
        assert house.api("viewer").get(reverse(f"dataset-version-{part}", args=[cleaned.pk])).status_code == 200
    told = [
        reader.get(at("core:shared_detail", house.quay, cleaned.pk)),
        reader.get(at("datasets:version_rows", house.quay, cleaned.pk)),
        reader.get(at("datasets:clean_create", house.quay, cleaned.pk)),
        api.get(reverse("dataset-version-detail", args=[cleaned.pk])),
        api.get(reverse("dataset-version-list")),
        api.get(reverse("artefact-detail", args=[cleaned.pk])),
    ]
    assert [answer.status_code for answer in told] == [200] * len(told)
    for answer in told:
        assert MOBILE not in answer.content.decode()
        for file in ("dropped", "quarantine.parquet", "report.json"):
            assert f"{file}" not in answer.content.decode().replace('"dropped":null', "")
    version = told[3].json()
    assert {version[name] for name in ("report", "rows_in", "dropped", "quarantined", "job", "dataset")} == {None}
    assert version["rows"] == 3


def test_bad_rows_of_an_import_are_not_shared(house, tmp_path):
    version = make_version(house, tmp_path, rows=[BROKEN, {"instruction": "a", "output": "b"}])
    share(house, version)
    assert (
        BROKEN
        in house.client("viewer").get(at("datasets:version_quarantine", house.project, version.pk)).content.decode()
    )
    reader = house.client("stranger")
    assert reader.get(at("datasets:version_quarantine", house.quay, version.pk)).status_code == 404
    assert "uarantine" not in reader.get(at("datasets:version_rows", house.quay, version.pk)).content.decode()


def test_a_job_there_gets_the_rows_and_no_other_file(house, cleaned):
    share(house, cleaned)
    params = {"dataset": str(cleaned.pk), "steps": [{"step": "mask_pii"}], "name": "ours"}
    theirs = submit_job(make_actor(house.stranger), house.quay, "datasets.clean", params)
    ours = submit_job(house.actor(), house.project, "datasets.clean", params)
    for job, files in ((theirs, {"data.parquet"}), (ours, set(cleaned.artefact.manifest))):
        assert set(spec_inputs(Job.objects.get(pk=job.pk), kinds.get(job.kind))["dataset"].manifest) == files
    spec = house.client("stranger").get(at("gpucloud:job_detail", house.quay, theirs.pk), {"tab": "spec"})
    assert spec.status_code == 200 and "dropped.parquet" not in spec.content.decode()


def test_how_good_a_model_was_found_to_be_is_not_shared(house, tmp_path):
    """A tuned model's artefact remembers the losses of its run."""
    weights = make_model(house.project, tmp_path)
    weights.artefact.meta |= {"loss": 1.23456, "loss_before": 6.54321, "steps": 4711}
    weights.artefact.save(update_fields=["meta"])
    share(house, weights)
    for url in (
        reverse("model-version-detail", args=[weights.pk]), reverse("model-version-list"),
        reverse("artefact-detail", args=[weights.pk]), reverse("artefact-list"),
    ):  # fmt: skip
        there, here = house.api("stranger").get(url), house.api("viewer").get(url)
        assert there.status_code == 200 and str(weights.pk) in there.content.decode()
        for number in ("1.23456", "6.54321", "4711"):
            assert number not in there.content.decode(), url
            assert number in here.content.decode(), url
    page = house.client("stranger").get(at("core:shared_detail", house.quay, weights.pk)).content.decode()
    assert "6.54321" not in page and "4711" not in page


# --- doubtful deeds


def test_taken_back_twice_is_told_once(house, tmp_path):
    """Two owners press at once; both requests have read the row."""
    made = share(house, make_version(house, tmp_path))
    other = Share.objects.select_related("artefact__project", "project", "team").get(pk=made.pk)
    services.revoke_share(house.actor(), made)
    with pytest.raises(NotFound):
        services.revoke_share(house.actor(), other)
    assert AuditEvent.objects.filter(action="artefact.unshare", project=house.quay).count() == 1
    assert Notification.objects.filter(event="artefact.unshare").count() == 1


def test_nobody_is_told_of_an_end_that_is_none(house, tmp_path):
    """Shared with the project and with its team: taking back one of the two takes nothing away there."""
    version = make_version(house, tmp_path)
    alone, all_of_them = share(house, version), share(house, version, team=house.quay.team_id)
    services.revoke_share(house.actor(), alone)
    assert house.client("stranger").get(at("core:shared_detail", house.quay, version.pk)).status_code == 200
    assert not Notification.objects.filter(event="artefact.unshare").exists()
    services.revoke_share(house.actor(), all_of_them)
    assert house.client("stranger").get(at("core:shared_detail", house.quay, version.pk)).status_code == 404
    assert Notification.objects.filter(event="artefact.unshare").count() == 1
