"""Work on what another project shares: real runs on shared data and a shared model, and what happens when it is taken
back before, while and after it is used."""

from pathlib import Path

import pytest
from django.urls import reverse

from apps.core import lineage, services
from apps.core.errors import Conflict, InvalidInput
from apps.core.models import Artefact, LineageEdge, Membership, Share
from apps.core.storage import storage
from apps.datasets.models import DatasetVersion
from apps.datasets.services import delete_dataset
from apps.gpucloud.models import Job, JobState
from apps.gpucloud.services import reproduce_job, submit_job
from apps.gpucloud.services.attempts import claim_attempt
from apps.lms import selectors as lms
from apps.lms.models import Deployment, Evaluation, ModelVersion
from apps.lms.services import (
    create_deployment,
    delete_model,
    reconcile_deployments,
    register_evaluation,
    register_model_version,
)  # fmt: skip
from tests.datasets.making import make_version
from tests.factories import make_actor, make_house, make_project
from tests.gpucloud.pieces import make_node, schedule
from tests.gpucloud.running import run_job
from tests.workers import tiny

pytestmark = pytest.mark.django_db
ROWS = [{"instruction": f"What is three times {n}?", "output": f"It is {n * 3}."} for n in range(24)]
META = {"family": "llama", "format": "safetensors", "parameters": 90_624, "dtype": "float32", "context_length": 512}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def house():
    """`stranger` owns quay and is nobody in harbour, whose owner may run jobs in quay."""
    house = make_house()
    house.quay = make_project("quay", house.stranger)
    Membership.objects.create(project=house.quay, user=house.owner, role="data_scientist")
    make_node()
    return house


@pytest.fixture
def rows(house, tmp_path):
    return make_version(house, tmp_path, rows=ROWS)


@pytest.fixture
def weights(house, model_folder):
    return register_model_version(house.project, "tiny", {"manifest": storage().put_tree(model_folder), "meta": META})


def share(house, version) -> Share:
    return services.share_artefact(house.actor(), version.artefact, project="quay")


def guest(house):
    return make_actor(house.stranger)


def submit(house, kind, **params):
    return submit_job(guest(house), house.quay, kind, params)


def test_a_model_is_tuned_on_shared_data_from_a_shared_base(house, rows, weights, tmp_path):
    share(house, rows), share(house, weights)
    wanted = {"model": "harbour/tiny", "dataset": "harbour/facts:1", "name": "ours", "max_steps": 4, "max_length": 128}
    job = run_job(submit(house, "lmt.sft", **wanted), tmp_path / "run")
    assert job.state == JobState.SUCCEEDED
    made = ModelVersion.objects.get(pk=job.outputs["model"]["id"])
    assert (made.model.project, made.base) == (house.quay, weights)
    parents = set(LineageEdge.objects.filter(child=made.artefact).values_list("parent", flat=True))
    assert parents == {rows.pk, weights.pk}
    seen = {node.title for node in lineage.lineage(guest(house), "model_version", made.pk, "up").nodes}
    assert seen == {"ours:1", "facts:1", "tiny:1"}
    assert not lineage.lineage(house.actor("viewer"), "dataset_version", rows.pk, "down").links
    client = house.client("stranger")
    page = client.get(reverse("lms:version_detail", args=["quay", "ours", 1]))
    assert reverse("core:shared_detail", args=["quay", weights.pk]) in page.content.decode()
    for tab in ("overview", "files", "lineage", "spec"):
        assert client.get(reverse("lmt:run_detail", args=["quay", job.pk]), {"tab": tab}).status_code == 200


def test_cleaning_shared_rows_makes_a_dataset_of_ones_own(house, rows, tmp_path):
    share(house, rows)
    job = run_job(submit(house, "datasets.clean", dataset=str(rows.pk)), tmp_path / "run")
    made = DatasetVersion.objects.get(pk=job.outputs["dataset"]["id"])
    assert (made.dataset.project, made.dataset.name, made.number) == (house.quay, "facts", 1)
    page = house.client("stranger").get(reverse("datasets:version_detail", args=["quay", made.pk])).content.decode()
    assert reverse("datasets:version_detail", args=["quay", rows.pk]) in page  # leads to the page of what is shared
    assert rows.dataset.versions.count() == 1


def test_without_a_share_nothing_starts(house, rows):
    for ref in (str(rows.pk), "facts", "harbour/facts:1"):
        with pytest.raises(InvalidInput) as refused:
            submit(house, "datasets.clean", dataset=ref)
        assert refused.value.data["errors"][0]["field"] == "dataset"


def test_taken_back_while_it_waits_is_not_read(house, rows):
    made = share(house, rows)
    job = submit(house, "datasets.clean", dataset=str(rows.pk))
    services.revoke_share(house.actor(), made)
    schedule()
    attempt = job.attempts.get()
    with pytest.raises(Conflict, match="not shared with this project any more"):
        claim_attempt(attempt.pk, attempt.node_id, "/nowhere")
    share(house, rows)
    claim = claim_attempt(attempt.pk, attempt.node_id, "/nowhere")
    assert claim is not None and claim.spec.inputs["dataset"].name == "facts:1"


def test_taken_back_afterwards_keeps_what_was_made_but_makes_nothing_new(house, rows, tmp_path):
    made = share(house, rows)
    job = run_job(submit(house, "datasets.clean", dataset=str(rows.pk)), tmp_path / "run")
    client, there = house.client("stranger"), reverse("core:shared_detail", args=["quay", rows.pk])
    files = reverse("gpucloud:job_detail", args=["quay", job.pk]) + "?tab=files"
    assert there in client.get(files).content.decode()
    services.revoke_share(house.actor(), made)
    assert there not in client.get(files).content.decode()
    own = job.outputs["dataset"]["id"]
    assert client.get(reverse("datasets:version_detail", args=["quay", own])).status_code == 200
    assert {node.title for node in lineage.lineage(guest(house), "dataset_version", own).nodes} == {"facts:1"}
    with pytest.raises((InvalidInput, Conflict)):
        reproduce_job(guest(house), job)


def test_what_was_used_elsewhere_cannot_be_deleted_and_nobody_says_by_whom(house, rows, weights, tmp_path):
    share(house, rows), share(house, weights)
    run_job(submit(house, "datasets.clean", dataset=str(rows.pk), name="secret work"), tmp_path / "run")
    create_deployment(guest(house), house.quay, "secret-deployment", weights)
    for delete, thing in ((delete_dataset, rows.dataset), (delete_model, weights.model)):
        with pytest.raises(Conflict) as refused:
            delete(house.actor(), thing)
        assert "secret" not in str(refused.value) and "quay" not in str(refused.value).lower()
        assert "used" not in refused.value.data
    assert Artefact.objects.filter(pk__in=[rows.pk, weights.pk]).count() == 2


# --- deployments and evaluations


def test_a_shared_model_is_deployed_here_and_seen_here_alone(house, weights):
    share(house, weights)
    url = reverse("lms:deployment_create", args=["quay"])
    answer = house.client("stranger").post(
        url, {"name": "tiny", "model": str(weights.pk), "replicas": 1, "runtime": "auto", "cpus": 1}
    )
    assert answer.status_code == 302, answer.context["form"].errors
    deployment = Deployment.objects.get()
    assert (deployment.project, deployment.model_version) == (house.quay, weights)
    [instance] = deployment.instances.all()
    assert (instance.job.project, instance.job.state) == (house.quay, JobState.QUEUED)
    theirs = house.client("engineer").get(reverse("lms:version_detail", args=["harbour", "tiny", 1])).content.decode()
    assert "Not deployed." in theirs


def test_a_deployment_whose_model_was_taken_back_starts_no_more_and_keeps_no_other_waiting(
    house, weights, model_folder
):
    made = share(house, weights)
    lost = create_deployment(guest(house), house.quay, "lost", weights)
    own = register_model_version(house.quay, "own", {"manifest": storage().put_tree(model_folder), "meta": META})
    kept = create_deployment(guest(house), house.quay, "kept", own)
    services.revoke_share(house.actor(), made)
    for deployment in (lost, kept):
        deployment.instances.get().job.delete()
    assert reconcile_deployments() == 1
    assert (lost.instances.count(), kept.instances.count()) == (0, 1)
    found = lms.get_deployment(guest(house), house.quay, "lost")
    assert lms.state_of(found) == "failed"
    assert "not shared" in lms.reason_of(found)["message"]
    with pytest.raises(InvalidInput):
        create_deployment(guest(house), house.quay, "again", weights)


def test_an_evaluation_of_a_shared_model_belongs_to_who_made_it(house, weights):
    share(house, weights)
    job = Job.objects.create(project=house.quay, kind="lms.evaluate", state=JobState.SUCCEEDED)
    job.inputs.create(name="model", artefact=weights.artefact)
    found = register_evaluation(job, {"manifest": {}}, {"suite": "mmlu", "scores": {}, "mean": 0.25})
    assert Evaluation.objects.get() == found
    assert lms.get_evaluation(guest(house), house.quay, found.pk) == found
    theirs = house.client("viewer")
    assert not theirs.get(reverse("lms:evaluation_list", args=["harbour"])).context["list"]["rows"]
    assert theirs.get(reverse("lms:evaluation_detail", args=["harbour", found.pk])).status_code == 404
    page = house.client("stranger").get(reverse("lms:evaluation_detail", args=["quay", found.pk]))
    assert reverse("core:shared_detail", args=["quay", weights.pk]) in page.content.decode()
    assert house.api("viewer").get(reverse("evaluation-list")).json()["results"] == []
