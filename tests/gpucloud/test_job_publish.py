"""A checkpoint becomes a model, or the place from which a run goes on: with a real tiny run."""

from pathlib import Path

import pytest
from django.urls import reverse

from apps.core.models import LineageEdge
from apps.core.storage import storage
from apps.gpucloud.models import Job
from apps.gpucloud.services import submit_job
from apps.gpucloud.services.checkpoints import register_checkpoint
from apps.lms.models import ModelVersion
from apps.lms.services import register_model_version
from tests.datasets.making import make_version
from tests.gpucloud.pieces import fresh, schedule, started
from tests.gpucloud.running import run_job
from tests.workers import tiny

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node")]
ROWS = [{"instruction": f"What is three times {n}?", "output": f"It is {n * 3}."} for n in range(12)]
FACTS = {"family": "llama", "format": "safetensors", "parameters": 90_624, "dtype": "float32", "context_length": 512}


@pytest.fixture
def run(house, tmp_path, request) -> Job:
    """A run of four steps with a checkpoint every two."""
    folder = tiny.make_model(tmp_path / "tiny")
    model = register_model_version(house.project, "tiny", {"manifest": storage().put_tree(folder), "meta": FACTS})
    data = make_version(house, tmp_path, rows=ROWS)
    params = {"model": str(model.pk), "dataset": str(data.pk), "name": "tuned", "max_steps": 4, "save_steps": 2}
    method = getattr(request, "param", "lora")
    job = submit_job(house.actor("engineer"), house.project, "lmt.sft", {**params, "max_length": 128, "method": method})
    return run_job(job, tmp_path / "run")


def url(job: Job) -> str:
    return reverse("gpucloud:job_publish", args=[job.project.slug, job.pk])


def weights(version: ModelVersion, folder: Path) -> bytes:
    storage().fetch_tree(version.artefact.manifest, folder)
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("run", ["lora", "full"], indirect=True)
def test_the_last_checkpoint_is_the_model_the_run_made(house, run, tmp_path):
    """The run merges after its last step; so does the publishing of the checkpoint of that step."""
    answer = house.client("expert").post(url(run), {"step": "4", "name": "early"})
    assert answer.status_code == 302
    job = Job.objects.get(kind="lms.publish")
    assert str(job.pk) in answer["Location"]
    done = run_job(job, tmp_path / "publish")
    made = ModelVersion.objects.get(pk=done.outputs["model"]["id"])
    assert (str(made), made.dtype) == ("early:1", "float32")
    tuned = ModelVersion.objects.get(pk=run.outputs["model"]["id"])
    assert weights(made, tmp_path / "a") == weights(tuned, tmp_path / "b")
    parents = {
        edge.role: edge.parent for edge in LineageEdge.objects.filter(child=made.artefact).select_related("parent")
    }
    assert parents["checkpoint"].type == "checkpoint" and parents["checkpoint"].job_id == run.pk
    kept = set(parents["checkpoint"].manifest)
    assert not any(name.endswith((".pt", ".pth", ".bin")) for name in kept), "no pickle is kept"


def test_an_earlier_checkpoint_is_another_model(house, run, tmp_path):
    made = house.api("expert").post(
        f"/api/v1/jobs/{run.pk}/publish/", {"step": 2, "name": "half"}, content_type="application/json"
    )
    assert made.status_code == 201
    done = run_job(Job.objects.get(pk=made.json()["id"]), tmp_path / "publish")
    version = ModelVersion.objects.get(pk=done.outputs["model"]["id"])
    tuned = ModelVersion.objects.get(pk=run.outputs["model"]["id"])
    assert weights(version, tmp_path / "a") != weights(tuned, tmp_path / "b")


def test_pages_mark_and_offer_checkpoints(house, run):
    page = house.client("expert").get(reverse("lmt:run_detail", args=[house.project.slug, run.pk]) + "?tab=metrics")
    text = page.content.decode()
    assert 'data-markers="[4, 2]"' in text and 'id="checkpoint-2"' in text and url(run) in text
    assert reverse("gpucloud:job_resume", args=[house.project.slug, run.pk]) not in text, "it has succeeded"
    viewer = house.client("viewer").get(page.request["PATH_INFO"] + "?tab=metrics").content.decode()
    assert url(run) not in viewer


def test_bad_input_and_wrong_people(house, run):
    client = house.client("expert")
    assert client.post(url(run), {"step": "3", "name": "x"}).status_code == 404
    assert client.post(url(run), {"step": "2", "name": "a/b"}).status_code == 400
    assert client.post(url(run), {"step": "2", "name": ""}).status_code == 400
    assert client.get(url(run)).status_code == 405
    assert house.client("viewer").post(url(run), {"step": "2", "name": "x"}).status_code == 403
    assert house.client("stranger").post(url(run), {"step": "2", "name": "x"}).status_code == 404
    assert house.client(None).post(url(run), {"step": "2", "name": "x"}).status_code == 302
    assert not Job.objects.filter(kind="lms.publish").exists()


def test_checkpoints_of_other_kinds_are_no_models(house, check):
    job = check()
    schedule()
    claim = started(job)
    register_checkpoint(claim.attempt_id, claim.fence, 3, {"state.json": {"sha256": "0" * 64, "size": 7}}, {})
    assert house.client("expert").post(url(job), {"step": "3", "name": "x"}).status_code == 409


def test_going_on_from_an_older_checkpoint_gives_up_the_later(house, check):
    job = check({"steps": 9})
    schedule()
    claim = started(job)
    for step in (3, 6):
        register_checkpoint(claim.attempt_id, claim.fence, step, {"state.json": {"sha256": "0" * 64, "size": 7}}, {})
    Job.objects.filter(pk=job.pk).update(state="failed")
    job.attempts.update(state="failed")
    resume = reverse("gpucloud:job_resume", args=[house.project.slug, job.pk])
    assert house.client("expert").post(resume, {"step": "4"}).status_code == 404
    assert fresh(job).state == "failed", "nothing happened"
    assert house.client("expert").post(resume, {"step": "3"}).status_code == 302
    assert fresh(job).state == "queued"
    schedule()
    assert [step for step, _manifest in started(fresh(job)).checkpoints] == [3]
    assert house.api("expert").post(
        f"/api/v1/jobs/{job.pk}/resume/", {"step": -1}, content_type="application/json"
    ).status_code == 400  # fmt: skip
