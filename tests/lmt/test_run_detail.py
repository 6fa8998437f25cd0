"""The page of one run, and what becomes of its results."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.core.models import LineageEdge
from apps.core.storage import storage
from apps.core.templatetags.ui import money
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Checkpoint, Job, JobState
from apps.gpucloud.services import cancel_job
from apps.gpucloud.services.attempts import close_stopped
from apps.gpucloud.services.events import Batch, store_batch
from apps.lms.models import ModelVersion
from tests.factories import make_house
from tests.gpucloud.pieces import make_node, schedule, started
from tests.lmt.making import META, start

pytestmark = pytest.mark.django_db


def url(house, run) -> str:
    return reverse("lmt:run_detail", args=[house.project.slug, run.pk])


def finish(run: Job, tmp_path: Path) -> dict:
    """As the control queue does when the child has succeeded."""
    make_node()
    schedule()
    attempt = run.attempts.get()
    for name in ("model", "adapter"):
        folder = tmp_path / f"out-{name}"
        folder.mkdir()
        (folder / f"{name}.safetensors").write_text(name)
        meta = {**META, "format": "adapter" if name == "adapter" else "safetensors"}
        attempt.outputs[name] = {"type": "model_version", "manifest": storage().put_tree(folder), "meta": meta}
    rows = {
        "train_rows": 3,
        "held_out_rows": 1,
        "too_long": 2,
        "unusable": 0,
        "examples": [{"row": 9, "reason": "2000 tokens"}],
    }
    attempt.result = {"loss_before": 2.0, "loss_after": 0.5, "steps": 30, "rows": rows}
    outputs = handler_for(run.kind).finish(run, attempt)
    Job.objects.filter(pk=run.pk).update(state=JobState.SUCCEEDED, outputs=outputs, result=attempt.result)
    return outputs


def test_results_become_versions_with_lineage(tmp_path):
    house = make_house()
    run = start(house, tmp_path)
    outputs = finish(run, tmp_path)
    assert outputs["model"]["name"] == "tuned"
    assert outputs["model"]["version"] == 1
    assert outputs["adapter"]["name"] == "tuned-adapter"
    made = ModelVersion.objects.get(pk=outputs["model"]["id"])
    assert made.base is not None
    assert made.base.model.name == "tiny"
    roles = LineageEdge.objects.filter(child=made.artefact).values_list("role", flat=True)
    assert set(roles) == {"model", "dataset"}


def test_page_of_a_run_that_waits(tmp_path):
    house = make_house()
    run = start(house, tmp_path)
    page = house.client("viewer").get(url(house, run))
    assert page.status_code == 200
    assert page.context["estimate"].steps == 30
    assert reverse("gpucloud:job_detail", args=[house.project.slug, run.pk]) in page.content.decode()


def test_a_stopped_run_has_no_time_left_and_can_be_begun_again(tmp_path):
    house = make_house()
    run = start(house, tmp_path)
    make_node()
    schedule()
    claim = started(run)
    Job.objects.filter(pk=run.pk).update(progress={"done": 3, "total": 30, "eta_s": 488.0})
    assert "left</span>" in house.client("expert").get(url(house, run)).content.decode()
    cancel_job(house.actor("expert"), run)
    close_stopped(claim, {"code": 0})
    run.refresh_from_db()
    assert (run.state, run.progress) == ("cancelled", {"done": 3, "total": 30, "eta_s": None})
    page = house.client("expert").get(url(house, run)).content.decode()
    assert "left</span>" not in page
    again, on = (reverse(f"gpucloud:job_{deed}", args=[house.project.slug, run.pk]) for deed in ("retry", "resume"))
    assert again in page and on not in page, "it has written no checkpoint"
    assert again not in house.client("viewer").get(url(house, run)).content.decode()
    Checkpoint.objects.create(job=run, attempt=run.attempts.get(), step=3)
    assert on in house.client("expert").get(url(house, run)).content.decode()


def test_expected_and_real_cost_stand_beside_each_other(tmp_path, settings):
    settings.AIFS_CURRENCY, settings.AIFS_PRICE_CORE_HOUR = "CNY", 90.0
    house = make_house()
    run = start(house, tmp_path)
    make_node()
    schedule()
    started(run)
    run.attempts.update(started_at=timezone.now() - timedelta(hours=1))
    page = house.client("viewer").get(url(house, run))
    cores = run.resources["cpus"]
    assert page.context["cost"].core_hours == pytest.approx(cores, abs=0.01)
    assert money(page.context["expected_cost"].amount) in page.content.decode()
    assert f"{cores * 90}." in page.content.decode()


def test_page_of_a_run_that_has_measured_what_it_starts_from(tmp_path):
    house = make_house()
    run = start(house, tmp_path)
    make_node()
    schedule()
    claim = started(run)
    store_batch(claim, Batch([{"type": "metric", "t": 1.0, "step": 0, "values": {"eval_loss": 4.125}}], [], 1, 0))
    assert house.client("viewer").get(url(house, run)).context["story"].loss_before == 4.125


def test_page_of_a_run_that_succeeded(tmp_path):
    house = make_house()
    run = start(house, tmp_path)
    outputs = finish(run, tmp_path)
    page = house.client("engineer").get(url(house, run))
    text = page.content.decode()
    assert page.context["story"].change == 0.75
    assert f"?model={outputs['model']['id']}" in text
    assert reverse("lms:deployment_create", args=[house.project.slug]) in text
    assert "2000 tokens" in text
    viewer = house.client("viewer").get(url(house, run)).content.decode()
    assert reverse("lms:deployment_create", args=[house.project.slug]) not in viewer


def test_the_page_of_its_job_leads_to_the_whole_model(tmp_path):
    """Not to the adapter, which was registered first."""
    house = make_house()
    run = start(house, tmp_path)
    outputs = finish(run, tmp_path)
    address = reverse("gpucloud:job_detail", args=[house.project.slug, run.pk])
    assert str(house.client().get(address).context["result"]["artefact"].pk) == outputs["model"]["id"]
    files = house.client().get(f"{address}?tab=files").context["outputs"]
    assert [str(row["artefact"].pk) for row in files] == [outputs["model"]["id"], outputs["adapter"]["id"]]


def test_other_jobs_are_no_runs():
    house = make_house()
    other = Job.objects.create(project=house.project, kind="datasets.import")
    assert house.client().get(url(house, other)).status_code == 404


def test_who_may_look(tmp_path):
    house = make_house()
    run = start(house, tmp_path)
    assert house.client("stranger").get(url(house, run)).status_code == 404
    assert house.client(None).get(url(house, run)).status_code == 302
