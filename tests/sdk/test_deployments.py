"""Deployments and evaluations by the SDK and the command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aifs.sdk import AifsError, Client, Conflict, InvalidInput, NotAllowed, NotFound
from aifs.sdk.cli.serving import score_line
from apps.gpucloud.models import Job
from tests.factories import House
from tests.prompts.factories import make_deployment

Run = Callable[..., tuple[int, str, str]]


def test_deploy_and_stop(connect: Callable[..., Client], house: House) -> None:
    make_deployment(house)  # brings a model called tiny
    client = connect("engineer")
    made = client.deployments.create("tiny", name="quay", replicas=2)
    assert (made["state"], made["replicas"], made["model"]) == ("starting", 2, "tiny:1")
    assert made["base_url"].endswith("/v1")
    assert client.deployments.get("quay")["id"] == made["id"]
    assert client.deployments.update("quay", replicas=1)["replicas"] == 1
    assert client.deployments.stop("quay")["state"] == "stopped"
    with pytest.raises(AifsError) as caught:
        client.deployments.wait("quay")
    assert caught.value.code == "not_ready"
    client.deployments.delete("quay")
    with pytest.raises(NotFound):
        client.deployments.get("quay")


def test_what_is_wrong_is_said(connect: Callable[..., Client], house: House) -> None:
    make_deployment(house)
    client = connect("engineer")
    with pytest.raises(InvalidInput):
        client.deployments.create("nobody", name="quay")
    with pytest.raises(InvalidInput):
        client.deployments.create("tiny", name="quay", runtime="steam")
    with pytest.raises(InvalidInput):
        client.deployments.create("http://169.254.169.254/v1", name="quay")
    with pytest.raises(Conflict):
        client.deployments.create("tiny", name="harbour-chat")
    with pytest.raises(NotAllowed):
        connect("data_scientist").deployments.create("tiny", name="quay")


def test_an_evaluation_is_a_job_with_the_benchmark_sent_along(
    connect: Callable[..., Client], house: House, tmp_path: Path
) -> None:
    make_deployment(house)
    folder = tmp_path / "mmlu" / "test"
    folder.mkdir(parents=True)
    (folder / "anatomy_test.csv").write_text("Where?,a,b,c,d,A\n")
    job = connect("expert").evaluations.start("tiny", suite="mmlu", data=tmp_path / "mmlu", shots=0, limit=5)
    params = Job.objects.get(pk=job.id).params
    assert (params["suite"], params["limit"], len(params["source"])) == ("mmlu", 5, 36)
    asked = connect("expert").evaluations.start("tiny", prompts=["Where?"])
    assert Job.objects.get(pk=asked.id).params["prompts"] == ["Where?"]


def test_one_question_has_no_standard_error() -> None:
    assert score_line("law", {"acc": 1.0, "acc_stderr": None, "n": 1}) == "law: 1.0000 (n=1)"
    assert score_line("law", {"acc": 0.5, "acc_stderr": 0.25, "n": 5}) == "law: 0.5000 ± 0.2500 (n=5)"


def test_the_command(run_cli: Run, house: House) -> None:
    make_deployment(house)
    arguments = ("deploy", "tiny", "--name", "quay", "--replicas", "2..4", "--cards", "0", "--json")
    status, out, err = run_cli(*arguments)
    assert status == 0
    assert "2 are started, not up to 4" in " ".join(err.split())
    made = json.loads(out)
    assert set(made) == {"deployment", "name", "state", "replicas", "runtime", "base_url"}
    assert made["replicas"] == 2
    assert run_cli("deploy", "nobody", "--name", "x")[0] == 2
    assert run_cli("deploy", "tiny", "--name", "x", part="viewer")[0] == 4
    status, out, _err = run_cli("evaluate", "tiny", "--suite", "nobody", "--json")
    assert (status, out) == (2, "")
