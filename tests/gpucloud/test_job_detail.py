"""`gpucloud:job_detail` and the buttons on it."""

import ast
import json
import shlex

import pytest
import yaml
from django.urls import reverse

from aifs.sdk import cli
from aifs.sdk.cli.arguments import pairs
from apps.gpucloud import details
from apps.gpucloud.models import Job
from apps.gpucloud.services.attempts import close_failed, hand_to_finisher
from apps.gpucloud.services.checkpoints import register_checkpoint
from apps.gpucloud.services.events import Batch, store_batch
from apps.gpucloud.services.finishing import finish_attempt
from apps.gpucloud.services.transitions import reason
from tests.gpucloud.pieces import fresh, schedule, started

pytestmark = pytest.mark.django_db

TABS = ("overview", "metrics", "logs", "files", "lineage", "spec")


def url(job, name="job_detail"):
    return reverse(f"gpucloud:{name}", args=[job.project.slug, job.pk])


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_a_waiting_job(house, check, tab):
    answer = house.client("viewer").get(f"{url(check(name='mine'))}?tab={tab}")
    assert answer.status_code == 200 and "mine" in answer.content.decode()


def test_a_failed_run_says_why(house, check, node):
    job = check({"steps": 9})
    schedule()
    claim = started(job)
    store_batch(claim, Batch([{"type": "progress", "t": 1.0, "done": 3, "total": 9, "message": "Checking"}], [], 1, 0))
    register_checkpoint(claim.attempt_id, claim.fence, 3, {"state.json": {"sha256": "0" * 64, "size": 7}}, {})
    close_failed(
        claim, reason("crashed", "The run was ended by signal %(signal)s.", signal="SIGKILL"), {"code": -9}, again=False
    )
    page = house.client("engineer").get(url(job)).content.decode()
    assert "The run was ended by signal SIGKILL." in page
    assert url(job, "job_resume") in page and url(job, "job_retry") in page and "Checkpoints" in page


def test_without_a_checkpoint_there_is_nothing_to_resume(house, check, node):
    job = check({"steps": 9})
    schedule()
    close_failed(started(job), reason("wrong", "The file is empty."), {"code": 1}, again=False)
    page = house.client("engineer").get(url(job)).content.decode()
    assert url(job, "job_resume") not in page and url(job, "job_retry") in page
    assert "Start again from the beginning?" not in page


def test_outputs_are_linked(house, check, node):
    job = check(name="looked at")
    schedule()
    claim = started(job)
    output = {"type": "node_report", "manifest": {}, "sha256": "", "size_bytes": 0, "meta": {}}
    hand_to_finisher(claim, {"report": output}, {"code": 0})
    assert finish_attempt(claim.attempt_id)
    page = house.client("viewer").get(f"{url(job)}?tab=files").content.decode()
    made = fresh(job).outputs["report"]["id"]
    assert reverse("core:lineage_detail", args=[house.project.slug, "node_report", made]) in page


def test_a_succeeded_job_leads_to_what_it_made(house, check, node):
    job = check(name="looked at")
    schedule()
    claim = started(job)
    assert house.client("viewer").get(url(job)).context["result"] is None
    output = {"type": "node_report", "manifest": {}, "sha256": "", "size_bytes": 0, "meta": {}}
    hand_to_finisher(claim, {"report": output}, {"code": 0})
    assert finish_attempt(claim.attempt_id)
    result = house.client("viewer").get(url(job)).context["result"]
    assert str(result["artefact"].pk) == fresh(job).outputs["report"]["id"]


def test_buttons_follow_state_and_role(house, check):
    job = check()
    assert url(job, "job_cancel") in house.client("expert").get(url(job)).content.decode()
    assert url(job, "job_cancel") not in house.client("viewer").get(url(job)).content.decode()
    assert url(job, "job_retry") not in house.client("expert").get(url(job)).content.decode()


def test_every_spec_starts_the_same_job(house, check):
    """Read back as a shell, a YAML reader, Python and `aifs` read them."""
    job = check({"steps": 3, "seconds_per_step": 0.5}, name="it's “mine” $HOME", seed=7)
    told = {row["title"]: row["code"] for row in details.snippets(fresh(job))}
    body = json.loads(told["JSON"])
    assert (body["params"], body["seed"], body["name"]) == (job.params, 7, job.name)
    assert yaml.safe_load(told["YAML"]) == body
    words = shlex.split(told["aifs"])
    given = cli.parser().parse_args(words[1:])
    assert (given.kind, pairs(given.param), given.name, given.seed) == (job.kind, job.params, job.name, 7)
    assert pairs(given.resource)["cpus"] == job.resources["cpus"]
    assert json.loads(shlex.split(told["curl"])[-1]) == body
    call = ast.parse(told["Python"]).body[1].value
    assert [ast.literal_eval(part) for part in call.args] == [job.kind, job.params]
    again = house.api("engineer").post("/api/v1/jobs/", body, content_type="application/json").json()
    assert (again["params"], again["resources"], again["seed"]) == (body["params"], body["resources"], 7)


def test_texts_that_look_like_numbers_stay_texts(house):
    params = {"name": "007", "dataset": "true", "steps": [{"name": "x"}]}
    job = Job(project=house.project, kind="datasets.clean", params=params)
    given = cli.parser().parse_args(shlex.split(details.command(job))[1:])
    assert pairs(given.param) == job.params


def test_who_may_see_it(house, check):
    job = check()
    assert house.client(None).get(url(job)).status_code == 302
    assert house.client("stranger").get(url(job)).status_code == 404
    elsewhere = reverse("gpucloud:job_detail", args=[house.other_project.slug, job.pk])
    assert house.client("stranger").get(elsewhere).status_code == 404


@pytest.mark.parametrize("name", ["job_cancel", "job_retry", "job_resume"])
def test_deeds_are_guarded(house, check, name):
    job = check()
    assert house.client(None).post(url(job, name)).status_code == 302
    assert house.client("stranger").post(url(job, name)).status_code == 404
    assert house.client("viewer").post(url(job, name)).status_code == 403
    assert house.client("expert").get(url(job, name)).status_code == 405
    assert fresh(job).state == "queued"


def test_cancel_then_resume_then_cancel_then_retry(house, check):
    job, client = check(), house.client("expert")
    for name, state in (
        ("job_cancel", "cancelled"),
        ("job_resume", "queued"),
        ("job_cancel", "cancelled"),
        ("job_retry", "queued"),
    ):
        assert client.post(url(job, name)).status_code == 302
        assert fresh(job).state == state
    assert client.post(url(job, "job_retry")).status_code == 409


@pytest.mark.parametrize("wanted", ["https://example.org/", "//example.org/", "javascript:alert(1)", "home", "NaN", ""])
def test_deeds_lead_back_to_where_they_were_asked_for_if_that_is_here(house, check, wanted):
    job, client = check(), house.client("expert")
    assert client.post(url(job, "job_cancel"), {"next": wanted})["Location"] == url(job, "job_detail")
    here = f"/p/{house.project.slug}/tune/{job.pk}/?tab=metrics"
    assert client.post(url(job, "job_resume"), {"next": here})["Location"] == here


def test_clone_shows_the_form_and_makes_a_job(house, check):
    job, client = check({"steps": 7}), house.client("expert")
    assert 'value="7"' in client.get(url(job, "job_clone")).content.decode()
    answer = client.post(url(job, "job_clone"), {"steps": "8", "seconds_per_step": "0", "report": "on"})
    assert answer.status_code == 302
    made = type(job).objects.exclude(pk=job.pk).get()
    assert made.params["steps"] == 8 and made.cloned_from_id == job.pk
    wrong = client.post(url(job, "job_clone"), {"steps": "-8"})
    assert wrong.status_code == 200 and wrong.context["form"].errors["steps"]
    assert house.client("viewer").get(url(job, "job_clone")).status_code == 403
    assert house.client("stranger").get(url(job, "job_clone")).status_code == 404


def test_job_create(house):
    address = reverse("gpucloud:job_create", args=[house.project.slug, "gpucloud.check"])
    client = house.client("expert")
    assert client.get(address).status_code == 200
    assert client.post(address, {"steps": "2", "seconds_per_step": "0", "report": "on"}).status_code == 302
    assert client.post(address, {"steps": "x"}).status_code == 200
    assert house.client("viewer").get(address).status_code == 403
    assert house.client("stranger").get(address).status_code == 404
    assert client.get(reverse("gpucloud:job_create", args=[house.project.slug, "gpucloud.nothing"])).status_code == 400
