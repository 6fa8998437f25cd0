"""`/api/v1/jobs/`: submit, read, list, and what is refused."""

import json

import pytest

from apps.gpucloud.models import Job
from apps.gpucloud.services.attempts import Claim
from apps.gpucloud.services.events import Batch, store_batch
from tests.gpucloud.pieces import schedule, started
from workers.kinds import kinds
from workers.params import artefact_fields, upload_fields

pytestmark = pytest.mark.django_db

CHECK = {"kind": "gpucloud.check", "params": {"steps": 3}, "name": "first"}


def post(client, path, body=None, **headers):
    return client.post(f"/api/v1/{path}", json.dumps(body or {}), content_type="application/json", headers=headers)


def test_a_job_is_submitted_and_read(house):
    answer = post(house.api("engineer"), "jobs/", CHECK)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["state"], body["params"]["steps"], body["project"]) == ("queued", 3, house.project.slug)
    read = house.api("viewer").get(f"/api/v1/jobs/{body['id']}/").json()
    assert read["id"] == body["id"] and read["created_by"] == house.engineer.email
    assert read["attempts"] == [] and read["outputs"] == {}


def test_the_list_is_filtered(house, check):
    first = check(name="first")
    check(name="second")
    Job.objects.filter(pk=first.pk).update(state="succeeded")
    client = house.api("viewer")
    assert [job["name"] for job in client.get("/api/v1/jobs/").json()["results"]] == ["second", "first"]
    assert [job["name"] for job in client.get("/api/v1/jobs/?state=succeeded").json()["results"]] == ["first"]
    assert [job["name"] for job in client.get("/api/v1/jobs/?active=true").json()["results"]] == ["second"]
    assert client.get("/api/v1/jobs/?created_by__password=x").status_code == 400
    assert house.api("stranger").get("/api/v1/jobs/").json()["results"] == []


def test_the_same_key_makes_one_job(house):
    client = house.api("engineer")
    answers = [post(client, "jobs/", CHECK, **{"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"params": {"steps": -1}}, "steps"),
        ({"params": {"speed": 3}}, "speed"),
        ({"resources": {"cpus": 0}}, "resources.cpus"),
        ({"resources": {"cpu": 1}}, "resources.cpu"),
        ({"priority": 1000}, "priority"),
        ({"after": ["01a20c67-ba09-7863-855c-03e8ed96a244"]}, "after"),
    ],
)
def test_what_is_wrong_is_named(house, change, field):
    answer = post(house.api("engineer"), "jobs/", CHECK | change)
    assert answer.status_code == 400
    body = answer.json()
    assert field in [error["field"] for error in body["data"]["errors"]], body
    assert answer["Content-Type"] == "application/problem+json"
    assert not Job.objects.exists()


def needed_inputs(kind):
    params = kinds.get(kind).params
    names = (*artefact_fields(params), *upload_fields(params))
    return [name for name in names if params.model_fields[name].is_required()]


@pytest.mark.parametrize("kind", [kind for kind in kinds.names() if needed_inputs(kind)])
def test_an_input_that_is_needed_is_not_left_empty(house, kind):
    named = {"name": "x"} if "name" in kinds.get(kind).params.model_fields else {}
    body = {"kind": kind, "params": dict.fromkeys(needed_inputs(kind), "") | named}
    answer = post(house.api("engineer"), "jobs/", body)
    assert answer.status_code == 400, answer.content
    assert not Job.objects.exists()


def test_an_unknown_kind_lists_the_known(house):
    answer = post(house.api("engineer"), "jobs/", {"kind": "gpucloud.nothing"})
    assert answer.status_code == 400 and "gpucloud.check" in answer.json()["detail"]


def test_roles(house, check):
    assert post(house.api("viewer"), "jobs/", CHECK).status_code == 403
    assert post(house.api("expert"), "jobs/", CHECK).status_code == 201
    job = check()
    assert house.api("stranger").get(f"/api/v1/jobs/{job.pk}/").status_code == 404
    for deed in ("cancel", "retry", "resume", "clone", "reproduce"):
        assert post(house.api("stranger"), f"jobs/{job.pk}/{deed}/").status_code == 404
        assert post(house.api("viewer"), f"jobs/{job.pk}/{deed}/").status_code == 403
    assert house.client(None).get(f"/api/v1/jobs/{job.pk}/").status_code in {401, 403}


def test_cancel_retry_resume_and_their_wrong_states(house, check):
    job, client = check(), house.api("engineer")
    assert post(client, f"jobs/{job.pk}/retry/").status_code == 409
    assert post(client, f"jobs/{job.pk}/cancel/").json()["state"] == "cancelled"
    assert post(client, f"jobs/{job.pk}/cancel/").status_code == 409
    assert post(client, f"jobs/{job.pk}/resume/").json()["state"] == "queued"
    post(client, f"jobs/{job.pk}/cancel/")
    assert post(client, f"jobs/{job.pk}/retry/").json()["state"] == "queued"


def test_a_job_is_renamed_and_moved_in_the_queue(house, check):
    job = check()

    def patch(part, **body):
        return house.api(part).patch(f"/api/v1/jobs/{job.pk}/", json.dumps(body), content_type="application/json")

    answer = patch("engineer", name="better", priority=7, state="succeeded").json()
    assert (answer["name"], answer["priority"], answer["state"]) == ("better", 7, "queued"), (
        "only what may be changed is"
    )
    assert patch("engineer", priority=101).status_code == 400
    assert patch("viewer", priority=1).status_code == 403
    assert patch("stranger", priority=1).status_code == 404
    Job.objects.filter(pk=job.pk).update(state="succeeded")
    assert patch("engineer", priority=1).status_code == 409


def test_clone_changes_what_is_named(house, check):
    job = check({"steps": 3, "report": False}, name="first")
    made = post(house.api("engineer"), f"jobs/{job.pk}/clone/", {"params": {"steps": 9}}).json()
    assert made["params"]["steps"] == 9 and made["params"]["report"] is False
    assert made["cloned_from"] == str(job.pk) and made["id"] != str(job.pk)
    assert post(house.api("engineer"), f"jobs/{job.pk}/clone/", {"params": {"steps": -9}}).status_code == 400


@pytest.fixture
def running(check, node) -> Claim:
    job = check()
    schedule()
    return started(job)


def test_logs_are_paged_and_translated(house, running):
    lines = [
        {"type": "log", "t": 1.0, "level": "info", "message": "Read %(rows)d rows", "data": {"rows": n}}
        for n in range(5)
    ]
    store_batch(running, Batch(lines, ["printed 100%"], 10, 10))
    client = house.api("viewer")
    page = client.get(f"/api/v1/jobs/{running.job_id}/logs/?limit=4").json()
    assert [line["text"] for line in page["lines"]] == [f"Read {n} rows" for n in range(4)] and page["next"] == 4
    rest = client.get(f"/api/v1/jobs/{running.job_id}/logs/?after=4").json()
    assert [line["text"] for line in rest["lines"]] == ["Read 4 rows", "printed 100%"] and rest["next"] is None


def test_metrics_by_series(house, running):
    points = [{"type": "metric", "t": float(n), "step": n, "values": {"loss": 1 / n, "lr": 0.1}} for n in range(1, 4)]
    store_batch(running, Batch(points, [], 10, 0))
    client = house.api("viewer")
    assert client.get(f"/api/v1/jobs/{running.job_id}/metrics/").json()["series"]["loss"]["steps"] == [1, 2, 3]
    assert set(client.get(f"/api/v1/jobs/{running.job_id}/metrics/?names=lr").json()["series"]) == {"lr"}


def test_nodes_and_accelerators_are_seen_by_members_only(house, node):
    assert [row["name"] for row in house.api("viewer").get("/api/v1/nodes/").json()["results"]] == ["north"]
    assert house.api("viewer").get("/api/v1/accelerators/").json()["results"] == []
    assert house.client(None).get("/api/v1/nodes/").status_code in {401, 403}


def test_kinds_have_a_schema_each(house):
    kinds = {row["kind"]: row for row in house.api("viewer").get("/api/v1/job-kinds/").json()["results"]}
    assert kinds["gpucloud.check"]["params"]["properties"]["steps"]["title"] == "Steps"
