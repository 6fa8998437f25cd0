"""Reproducing a job: real runs of every kind that makes something, repeated, and what is said about the two."""

import json
import tarfile
from pathlib import Path

import pytest
from django.urls import reverse

from apps.core.models import Upload
from apps.core.storage import storage
from apps.datasets.models import Dataset
from apps.gpucloud.models import Attempt, Checkpoint, Job
from apps.gpucloud.services import reproduce_job, submit_job
from apps.lms.models import Model
from apps.lms.services import register_model_version
from apps.lmt.services import publish_checkpoint
from tests.datasets.making import make_upload, make_version
from tests.gpucloud.pieces import fresh, make_node
from tests.gpucloud.running import run_job
from tests.workers import tiny

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node")]
ROWS = [{"instruction": f"What is three times {n}?", "output": f"It is {n * 3}."} for n in range(24)]
STEPS = 6
TUNING = {"name": "tuned", "max_steps": STEPS, "max_length": 128, "logging_steps": 1}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def model(house, model_folder):
    meta = {"family": "llama", "format": "safetensors", "parameters": 90_624, "dtype": "float32", "context_length": 512}
    return register_model_version(house.project, "tiny", {"manifest": storage().put_tree(model_folder), "meta": meta})


@pytest.fixture
def data(house, tmp_path):
    return make_version(house, tmp_path, rows=ROWS)


def submit(house, kind, params) -> Job:
    return submit_job(house.actor("engineer"), house.project, kind, params)


def again(house, job: Job) -> Job:
    return reproduce_job(house.actor("engineer"), job)


def tuning(house, model, data) -> Job:
    return submit(house, "lmt.sft", {"model": str(model.pk), "dataset": str(data.pk), **TUNING})


def losses(directory: Path) -> dict[int, dict[str, float]]:
    """step → values, read from what the child itself wrote."""
    return {
        event["step"]: event["values"] for event in tiny.read_events(directory, "metric") if "loss" in event["values"]
    }


def test_a_tuning_run_is_repeated_to_the_last_bit(house, model, data, tmp_path):
    original = run_job(tuning(house, model, data), tmp_path / "one")
    repeated = run_job(again(house, original), tmp_path / "two")
    match = repeated.match
    assert match["verdict"] == "bit_equal", match
    assert {row["name"] for row in match["series"]} >= {"loss", "eval_loss", "learning_rate", "grad_norm"}
    assert [row["points"] for row in match["series"] if row["name"] == "loss"] == [STEPS]
    assert {row["name"] for row in match["outputs"]} == {"model", "adapter"}
    assert all(row["original"] == row["reproduction"] for row in match["outputs"])
    assert Model.objects.get(name="tuned").versions.count() == 1, "nobody's newest version changes"
    assert repeated.outputs["model"]["name"] == "tuned-reproduced"
    environment = repeated.attempts.get().environment
    assert environment["devices"] == ["cpu"] and environment["libraries"]["torch"] and environment["libraries"]["trl"]


def test_a_planted_change_is_found_at_its_step(house, model, data, tmp_path):
    """Another schedule of the learning rate: the first steps are the same, then they part."""

    def plant(spec, directory):
        spec.params["scheduler"] = "constant"

    original = run_job(tuning(house, model, data), tmp_path / "one")
    repeated = run_job(again(house, original), tmp_path / "two", plant)
    ours, theirs = losses(tmp_path / "one"), losses(tmp_path / "two")
    first = min(
        step for step in ours for name in ("loss", "learning_rate", "grad_norm")
        if abs(ours[step][name] - theirs[step][name]) > 1e-3 * max(abs(ours[step][name]), abs(theirs[step][name]))
    )  # fmt: skip
    assert repeated.match["verdict"] == "diverged"
    where = repeated.match["where"]
    assert (where["what"], where["data"]["step"]) == ("metric", first)
    assert 1 <= first < STEPS
    changed = {row["name"]: row["first_step"] for row in repeated.match["series"]}
    assert changed["loss"] >= first, "the loss follows the rate"


def test_other_threads_are_noise_and_are_named(house, model, data, tmp_path):
    original = run_job(tuning(house, model, data), tmp_path / "one")
    repeated = run_job(again(house, original), tmp_path / "two", threads=2)
    assert repeated.match["verdict"] in {"bit_equal", "within_noise"}, repeated.match
    assert {"name": "threads", "original": "1", "reproduction": "2"} in repeated.match["environment"]


def test_weights_that_were_changed_afterwards_are_found(house, model, data, tmp_path):
    """The charts are the same; what was stored is not."""
    original = run_job(tuning(house, model, data), tmp_path / "one")
    attempt = original.attempts.get()
    folder = tmp_path / "altered"
    storage().fetch_tree(attempt.outputs["model"]["manifest"], folder)
    _scale_first_tensor(folder / "model.safetensors")
    attempt.outputs["model"]["manifest"] = storage().put_tree(folder)
    attempt.save(update_fields=["outputs"])
    repeated = run_job(again(house, original), tmp_path / "two")
    where = repeated.match["where"]
    assert (repeated.match["verdict"], where["what"], where["output"]) == ("diverged", "tensor", "model")
    assert where["data"]["file"] == "model.safetensors"


def _scale_first_tensor(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    name = sorted(weights)[0]
    path.unlink()
    save_file({**weights, name: weights[name] * 2}, path, metadata={"format": "pt"})


def test_imports_and_cleaning_are_repeated(house, tmp_path):
    rows = [*ROWS[:5], ROWS[0], {"instruction": "No answer?", "output": ""}]
    upload = make_upload(house, tmp_path, "\n".join(json.dumps(row) for row in rows).encode())
    imported = run_job(submit(house, "datasets.import", {"source": str(upload.pk), "name": "facts"}), tmp_path / "one")
    assert run_job(again(house, imported), tmp_path / "two").match["verdict"] == "bit_equal"
    cleaned = run_job(submit(house, "datasets.clean", {"dataset": "facts:1"}), tmp_path / "three")

    def plant(spec, directory):
        import pyarrow.parquet as pq

        path = directory / "inputs/dataset/data.parquet"
        table = pq.read_table(path).to_pylist()
        table[2]["messages"][1]["content"] = "Something else."
        schema = pq.read_schema(path)
        path.unlink()
        import pyarrow as pa

        pq.write_table(pa.Table.from_pylist(table, schema=schema), path)

    assert run_job(again(house, cleaned), tmp_path / "four").match["verdict"] == "bit_equal"
    changed = run_job(again(house, cleaned), tmp_path / "five", plant)
    assert changed.match["verdict"] == "diverged"
    places = changed.match["where"]
    assert (places["what"], places["output"], places["data"]["row"]) == ("row", "dataset", 3)
    assert places["data"]["repeated"] == "Something else."
    assert set(Dataset.objects.values_list("name", flat=True)) == {"facts", "facts-reproduced"}
    assert Dataset.objects.get(name="facts").versions.count() == 2


def test_model_imports_and_evaluations_are_repeated(house, model_folder, data, tmp_path):
    archive = tmp_path / "tiny.tar"
    with tarfile.open(archive, "w") as tar:
        for path in model_folder.iterdir():
            tar.add(path, path.name)
    upload = make_upload(house, tmp_path, archive.read_bytes(), "tiny.tar")
    imported = run_job(submit(house, "lms.import", {"source": str(upload.pk), "name": "tiny"}), tmp_path / "one")
    assert run_job(again(house, imported), tmp_path / "two").match["verdict"] == "bit_equal"
    asked = {"model": "tiny:1", "dataset": str(data.pk), "prompts": ["Hello?"], "answer_tokens": 8}
    evaluated = run_job(submit(house, "lms.evaluate", asked), tmp_path / "three")
    repeated = run_job(again(house, evaluated), tmp_path / "four")
    assert repeated.match["verdict"] == "bit_equal", repeated.match
    assert [row["name"] for row in repeated.match["outputs"]] == ["evaluation"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_model_made_of_a_checkpoint_is_made_again(house, model, data, tmp_path, method):
    """Its input is a checkpoint that was kept: neither a model version nor a dataset, and the run's own copy may go."""
    params = {"model": str(model.pk), "dataset": str(data.pk), **TUNING, "method": method, "save_steps": STEPS // 2}
    tuned = run_job(submit(house, "lmt.sft", params), tmp_path / "run")
    checkpoint = Checkpoint.objects.get(job=tuned, step=STEPS // 2)
    made = publish_checkpoint(house.actor("engineer"), tuned, checkpoint, "early")
    published = run_job(made, tmp_path / "one")
    storage().delete_checkpoint(tuned.pk, checkpoint.step)
    repeated = run_job(again(house, published), tmp_path / "two")
    assert repeated.match["verdict"] == "bit_equal", repeated.match
    assert [row["name"] for row in repeated.match["outputs"]] == ["model"]
    assert repeated.outputs["model"]["name"] == "early-reproduced"
    assert Model.objects.get(name="early").versions.count() == 1
    inputs = [dict(job.inputs.values_list("name", "artefact")) for job in (published, repeated)]
    assert inputs[0] == inputs[1] and inputs[0].keys() == {"model", "checkpoint"}

    def plant(spec, directory):
        _scale_first_tensor(max((directory / "inputs/checkpoint").glob("*.safetensors")))

    changed = run_job(again(house, published), tmp_path / "three", plant)
    assert (changed.match["verdict"], changed.match["where"]["what"]) == ("diverged", "tensor")


# --- what cannot be reproduced, and what is said about it


def ended(job: Job, state: str = "succeeded") -> Job:
    Job.objects.filter(pk=job.pk).update(state=state)
    return fresh(job)


def post(house, job, part="engineer"):
    return house.api(part).post(f"/api/v1/jobs/{job.pk}/reproduce/", {}, content_type="application/json")


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_only_what_has_succeeded(house, check, state):
    answer = post(house, ended(check(), state))
    assert (answer.status_code, answer.json()["code"]) == (409, "not_reproducible")


def test_serving_has_nothing_to_compare(house, model):
    job = Job.objects.create(
        project=house.project, kind="lms.serve", params={"model": str(model.pk)}, state="succeeded"
    )
    answer = post(house, job)
    assert answer.status_code == 409 and "nothing to compare" in answer.json()["detail"]


def test_an_input_whose_record_is_gone(house, tmp_path):
    upload = make_upload(house, tmp_path, json.dumps(ROWS[0]).encode())
    job = ended(submit(house, "datasets.import", {"source": str(upload.pk), "name": "facts"}))
    Upload.objects.all().delete()
    answer = post(house, job)
    assert (answer.status_code, answer.json()["code"], answer.json()["data"]["input"]) == (409, "input_gone", "source")


def test_an_input_whose_file_is_gone(house, model, data):
    job = ended(tuning(house, model, data))
    doomed = storage().local_path(data.artefact.manifest["data.parquet"]["sha256"])
    content = doomed.read_bytes()
    doomed.chmod(0o600)
    doomed.unlink()
    try:
        assert post(house, job).json()["data"]["input"] == "dataset"
    finally:
        doomed.write_bytes(content)


def test_one_who_may_not_run_it(house, check):
    job = ended(check())
    assert post(house, job, "viewer").status_code == 403
    assert post(house, job, "stranger").status_code == 404


def test_a_reproduction_that_fails_says_so(house, check):
    repeated = ended(again(house, ended(check())), "failed")
    found = house.api("viewer").get(f"/api/v1/jobs/{repeated.pk}/").json()
    assert found["reproduction"]["verdict"] == "unknown"
    assert found["reproduces"] == str(repeated.reproduces_id)


def test_libraries_and_nodes_that_differ_are_named(house, check, tmp_path):
    make_node("south", cpus=0)
    original = run_job(check({"steps": 2, "seconds_per_step": 0}), tmp_path / "one")
    Attempt.objects.filter(job=original).update(
        environment={"devices": ["nvidia H100"], "python": "3.11.0", "libraries": {"vllm": "0.9"}}
    )
    repeated = run_job(again(house, original), tmp_path / "two")
    rows = {row["name"]: row for row in repeated.match["environment"]}
    assert rows["devices"] == {"name": "devices", "original": "nvidia H100", "reproduction": "cpu"}
    assert rows["vllm"] == {"name": "vllm", "original": "0.9", "reproduction": ""}


def test_the_verdict_stands_on_both_pages_and_in_the_api(house, check, tmp_path):
    original = run_job(check({"steps": 2, "seconds_per_step": 0, "report": False}), tmp_path / "one")
    repeated = run_job(again(house, original), tmp_path / "two")
    found = house.api("viewer").get(f"/api/v1/jobs/{repeated.pk}/").json()["reproduction"]
    assert (found["verdict"], found["label"]) == ("bit_equal", "Equal to the last bit")
    told = house.api("viewer").get(f"/api/v1/jobs/{original.pk}/").json()["reproductions"]
    assert told == [{"id": str(repeated.pk), "state": "succeeded", "verdict": "bit_equal"}]
    for job, other in ((original, repeated), (repeated, original)):
        page = house.client("viewer").get(reverse("gpucloud:job_detail", args=[house.project.slug, job.pk]))
        text = page.content.decode()
        assert "Equal to the last bit" in text
        assert reverse("gpucloud:job_detail", args=[house.project.slug, other.pk]) in text


def test_the_button_follows_state_and_role(house, check):
    job = check()
    url = reverse("gpucloud:job_reproduce", args=[house.project.slug, job.pk])
    page = reverse("gpucloud:job_detail", args=[house.project.slug, job.pk])
    assert url not in house.client("expert").get(page).content.decode()
    assert house.client("expert").post(url).status_code == 409
    ended(job)
    assert url in house.client("expert").get(page).content.decode()
    assert url not in house.client("viewer").get(page).content.decode()
    assert house.client(None).post(url).status_code == 302
    assert house.client("stranger").post(url).status_code == 404
    assert house.client("viewer").post(url).status_code == 403
    assert house.client("expert").get(url).status_code == 405
    assert house.client("expert").post(url).status_code == 302
    made = Job.objects.exclude(pk=job.pk).get()
    assert made.reproduces_id == job.pk
