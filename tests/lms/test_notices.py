"""Who hears that an evaluation came out worse, and that a deployment lost an instance."""

import pytest

from apps.core import notices
from apps.core.models import Notification
from apps.gpucloud.models import Job, JobState
from apps.gpucloud.services.jobs import request_cancel
from apps.gpucloud.services.transitions import end_job, reason, requeue
from apps.lms.services import register_evaluation, stop_deployment
from tests.factories import House
from tests.lms.serving import make_version
from tests.lms.test_deployments import create, jobs, say_ready

pytestmark = pytest.mark.django_db
WHY = reason("crashed", "It crashed.")


def measured(
    house: House, version, acc: float | None = None, loss: float | None = None, suite: str = "mmlu", n: int = 900
):
    job = Job.objects.create(
        project=house.project, kind="lms.evaluate", state=JobState.SUCCEEDED, created_by=house.data_scientist
    )
    job.inputs.create(name="model", artefact=version.artefact)
    stderr = (acc * (1 - acc) / n) ** 0.5 if acc is not None else 0
    scores = {"law": {"acc": acc, "acc_stderr": stderr, "n": n}} if acc is not None else {}
    return register_evaluation(job, {"manifest": {}}, {"suite": suite, "scores": scores, "mean": acc, "loss": loss})


def told() -> list[tuple[str, str]]:
    return [(row.user.name.partition("-")[0], row.event) for row in Notification.objects.order_by("id")]


def test_a_version_that_does_worse_is_told_to_who_measured_it(house: House) -> None:
    measured(house, make_version(house.project, "tiny", 1), 0.60)
    worse = measured(house, make_version(house.project, "tiny", 2), 0.50)
    assert told() == [("data_scientist", "evaluation.regress")]
    row = Notification.objects.get()
    assert notices.text_of(row.event, row.data) == "tiny:2 did worse on mmlu than tiny:1."
    assert str(worse.pk) in row.url and house.client("data_scientist").get(row.url).status_code == 200


def test_the_maker_of_the_model_hears_of_it_too(house: House) -> None:
    first = make_version(house.project, "tiny", 1)
    first.model.created_by = house.engineer
    first.model.save()
    measured(house, first, 0.60)
    measured(house, make_version(house.project, "tiny", 2), 0.50)
    assert sorted(told()) == [("data_scientist", "evaluation.regress"), ("engineer", "evaluation.regress")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"acc": 0.60}, {"acc": 0.60}),
        ({"acc": 0.50}, {"acc": 0.60}),
        ({"acc": 0.60}, {"acc": 0.59}),  # within the standard errors of 900 questions
        ({"acc": 0.60, "n": 20}, {"acc": 0.50, "n": 20}),
        ({"acc": 0.60}, {"acc": 0.10, "suite": "ceval"}),
        ({"loss": 2.0, "suite": ""}, {"loss": 2.01, "suite": ""}),
        ({"loss": 2.0, "suite": ""}, {"acc": 0.5, "suite": ""}),
    ],
)
def test_what_is_not_worse_is_told_to_nobody(house: House, before, after) -> None:
    measured(house, make_version(house.project, "tiny", 1), **before)
    measured(house, make_version(house.project, "tiny", 2), **after)
    assert told() == []


def test_a_tuned_model_is_compared_with_its_base(house: House) -> None:
    base = make_version(house.project, "base", 1)
    measured(house, base, loss=2.0, suite="")
    measured(house, make_version(house.project, "tuned", 1, base=base), loss=2.5, suite="")
    row = Notification.objects.get()
    assert notices.text_of(row.event, row.data) == "tuned:1 did worse on Held-out rows than base:1."


def test_another_projects_measurement_is_no_measure(house: House) -> None:
    first = make_version(house.project, "tiny", 1)
    elsewhere = measured(house, first, 0.9)
    elsewhere.artefact.project = house.other_project
    elsewhere.artefact.save()
    measured(house, make_version(house.project, "tiny", 2), 0.1)
    assert told() == []


# --- deployments


def test_an_instance_that_dies_is_told_once_and_one_that_is_stopped_is_not(house: House) -> None:
    deployment = create(house, replicas=2)
    first, second = jobs(deployment)
    say_ready(first)
    say_ready(second, "http://127.0.0.1:4322")
    requeue(first, WHY, failed=True)
    assert told() == [("engineer", "deployment.unhealthy")]
    row = Notification.objects.get()
    assert notices.text_of(row.event, row.data) == "The deployment “helper” is not well: 1 of 2 instances answer."
    assert house.client("engineer").get(row.url).status_code == 200
    requeue(second, WHY, failed=True)
    assert Notification.objects.order_by("-id").first().data["ready"] == 0
    stop_deployment(house.actor("engineer"), deployment)
    assert len(told()) == 2


def test_one_that_never_answered_is_told_when_it_is_given_up(house: House) -> None:
    deployment = create(house)
    [job] = jobs(deployment)
    requeue(job, WHY, failed=True)
    assert told() == []
    end_job(job, JobState.FAILED, WHY)
    assert told() == [("engineer", "deployment.unhealthy")]


def test_a_cancelled_instance_is_told_to_nobody(house: House) -> None:
    [job] = jobs(create(house))
    request_cancel(job)
    assert told() == []
