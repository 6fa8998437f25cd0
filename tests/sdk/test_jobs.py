"""Jobs by the SDK: start, find, watch, stop."""

import json
import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from aifs.sdk import Client, InvalidInput, JobFailed, NotAllowed, NotFound
from aifs.sdk.cli.arguments import follow
from aifs.sdk.cli.output import Output
from apps.gpucloud.models import Job as JobRow
from tests.factories import House


def start(client: Client, tmp_path: object) -> str:
    """Upload something and start its import."""
    path = f"{tmp_path}/rows.jsonl"
    with open(path, "w") as file:
        file.write('{"instruction": "a", "output": "b"}\n')
    return client.datasets.import_file(path, name="rows").id


def end(id: str, state: str, **fields: object) -> None:
    JobRow.objects.filter(pk=id).update(state=state, started_at=timezone.now(), ended_at=timezone.now(), **fields)


def test_start_and_find(connect: Callable[..., Client], tmp_path: object) -> None:
    client = connect("expert")
    id = start(client, tmp_path)
    job = client.jobs.get(id)
    assert (job.state, job["kind"]) == ("queued", "datasets.import")
    assert [found.id for found in client.jobs.list(kind="datasets.import")] == [id]
    assert client.jobs.list(state="failed") == []
    assert {"datasets.import", "datasets.clean"} <= {kind["kind"] for kind in client.jobs.kinds()}


def test_a_wrong_parameter_is_named(connect: Callable[..., Client]) -> None:
    with pytest.raises(InvalidInput) as caught:
        connect().jobs.start("datasets.import", {"name": "x", "colour": "red"})
    assert {"source", "colour"} <= {error["field"] for error in caught.value.data["errors"]}
    with pytest.raises(InvalidInput):
        connect().jobs.start("datasets.paint", {})


def test_rights(connect: Callable[..., Client], house: House, tmp_path: object) -> None:
    with pytest.raises(NotAllowed):
        connect("viewer").jobs.start("datasets.clean", {"dataset": "x"})
    id = start(connect("expert"), tmp_path)
    with pytest.raises(NotFound):
        connect("stranger").jobs.get(id)


@pytest.mark.django_db(transaction=True)
def test_waiting_ends_with_the_job(connect: Callable[..., Client], tmp_path: object) -> None:
    client = connect()
    id = start(client, tmp_path)
    end(id, "succeeded", metrics={"rows": 1.0}, outputs={"dataset": {"id": "1"}})
    job = client.jobs.get(id).wait(progress=True)
    assert job.summary() | {"duration_s": 0} == {
        "job": id, "state": "succeeded", "outputs": {"dataset": {"id": "1"}}, "metrics": {"rows": 1.0}, "duration_s": 0,
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_failed_job_says_why(connect: Callable[..., Client], tmp_path: object) -> None:
    client = connect()
    id = start(client, tmp_path)
    end(id, "failed", reason={"code": "bad", "message": "The file has %(rows)d rows.", "data": {"rows": 0}})
    with pytest.raises(JobFailed) as caught:
        client.jobs.get(id).wait()
    assert caught.value.message == "The file has 0 rows."
    assert client.jobs.get(id).wait(check=False).state == "failed"


@pytest.mark.django_db(transaction=True)
def test_into_a_pipe_it_says_why_it_waits(
    connect: Callable[..., Client], tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    client = connect()
    id = start(client, tmp_path)
    waiting = {"code": "busy", "message": "All %(cpus)d cores are in use.", "data": {"cpus": 2}}
    JobRow.objects.filter(pk=id).update(reason=waiting)

    def cancel() -> None:
        end(id, "cancelled", reason={}, last_seq=F("last_seq") + 1)
        connection.close()

    timer = threading.Timer(1.5, cancel)
    timer.start()
    job = follow(client.jobs.get(id), Output(json=False), check=False)
    timer.join()
    assert job.state == "cancelled" and job.ending == "The job was cancelled."
    assert capsys.readouterr().err.splitlines() == ["Queued: All 2 cores are in use."]


def test_ctrl_c_says_that_the_job_goes_on(
    connect: Callable[..., Client],
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = connect().jobs.get(start(connect(), tmp_path))

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "_watch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        follow(job, Output(json=True))
    assert f"aifs jobs cancel {job.id}" in capsys.readouterr().err


def test_cancel_and_retry(connect: Callable[..., Client], tmp_path: object) -> None:
    client = connect()
    id = start(client, tmp_path)
    assert client.jobs.get(id).cancel().state == "cancelled"
    assert client.jobs.get(id).retry().state == "queued"
    clone = client.jobs.get(id).clone(name="other")
    assert clone.id != id
    assert clone["params"]["name"] == "other"


def test_logs_and_metrics_of_a_job_that_said_nothing(connect: Callable[..., Client], tmp_path: object) -> None:
    client = connect()
    job = client.jobs.get(start(client, tmp_path))
    end(job.id, "succeeded")
    assert list(job.logs(follow=True)) == []
    assert job.metrics() == {}


def test_a_reproduction_is_started_and_its_verdict_read(
    connect: Callable[..., Client], run_cli: Callable[..., tuple[int, str, str]], tmp_path: object
) -> None:
    client = connect("expert")
    id = start(client, tmp_path)
    assert client.jobs.get(id).verdict == ""
    assert run_cli("jobs", "reproduce", id, part="expert")[0] == 1, "it has not succeeded"
    end(id, "succeeded")
    status, out, _err = run_cli("jobs", "reproduce", id, "--json", part="expert")
    assert status == 0
    made = json.loads(out)["job"]
    match = {
        "verdict": "diverged", "message": "Something else came out.", "data": {}, "series": [], "outputs": [],
        "tolerance": {"numbers": 1e-3, "weights": 2e-2, "message": ""},
        "environment": [{"name": "torch", "original": "2.0", "reproduction": "2.1"}],
        "where": {
            "what": "metric", "output": "", "data": {"series": "loss", "step": 3, "original": "1.0", "repeated": "2.0"},
            "message": "%(series)s at step %(step)s: %(original)s became %(repeated)s.",
        },
    }  # fmt: skip
    end(made, "succeeded", match=match)
    assert client.jobs.get(made).verdict == "diverged"
    _status, words, _err = run_cli("jobs", "show", made, part="expert")
    assert "First difference: loss at step 3: 1.0 became 2.0." in words and "torch: 2.0 → 2.1" in words
    shown = json.loads(run_cli("jobs", "show", made, "--json", part="expert")[1])
    assert shown["reproduction"]["where"]["data"]["step"] == 3
