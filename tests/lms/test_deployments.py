"""Deployments follow what is wanted: their jobs, their state, the gateway's snapshot."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.gpucloud.models import Attempt, AttemptState, Job, JobState, Node
from apps.gpucloud.services.transitions import end_job, reason, requeue
from apps.lms import selectors, services
from apps.lms.jobs import LmsHandler
from apps.lms.models import Deployment, GatewaySnapshot, Instance
from tests.factories import House
from tests.lms.serving import add_instance, make_deployment, make_version


def create(house: House, name: str = "helper", part: str = "engineer", **fields: Any) -> Deployment:
    version = fields.pop("model_version", None) or make_version(house.project, f"{name}-model")
    return services.create_deployment(house.actor(part), house.project, name, version, **fields)


def jobs(deployment: Deployment) -> list[Job]:
    return [
        row.job for row in Instance.objects.filter(deployment=deployment).select_related("job").order_by("created_at")
    ]


def say_ready(job: Job, url: str = "http://127.0.0.1:4321", number: int = 1) -> None:
    """As the node agent tells it."""
    node, _new = Node.objects.get_or_create(name="here")
    attempt = Attempt.objects.create(
        job=job, number=number, node=node, fence=job.pk.int % 10**9 + number, state=AttemptState.RUNNING
    )
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, attempt_count=number)
    job.refresh_from_db()
    LmsHandler().on_event(job, attempt, {"type": "ready", "data": {"url": url, "runtime": "embedded"}})


def state(deployment: Deployment) -> str:
    return str(selectors.state_of(Deployment.objects.get(pk=deployment.pk)))


def shown() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = GatewaySnapshot.objects.get().body["deployments"]
    return found


def test_instances_start_become_ready_and_are_routed(house: House) -> None:
    deployment = create(house, replicas=2, runtime_params={"max_running": 4})
    first, second = jobs(deployment)
    assert first.kind == "lms.serve"
    assert first.service
    assert first.params["served_name"] == "helper"
    assert first.params["max_running"] == 4
    assert state(deployment) == "starting"
    assert shown()[0]["instances"] == []
    say_ready(first)
    assert state(deployment) == "degraded"
    say_ready(second, "http://127.0.0.1:4322")
    assert state(deployment) == "ready"
    assert {row["url"] for row in shown()[0]["instances"]} == {"http://127.0.0.1:4321", "http://127.0.0.1:4322"}
    key = Instance.objects.get(job=first).key
    assert LmsHandler().secrets(first, None) == {"instance_key": key}  # type: ignore[arg-type]
    assert key not in str(GatewaySnapshot.objects.get().body)
    assert key not in str(first.params)


def test_restarted_instance_is_not_ready_until_it_says_so(house: House) -> None:
    deployment = create(house)
    (job,) = jobs(deployment)
    say_ready(job)
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
    assert state(deployment) == "starting"
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, attempt_count=2)
    assert state(deployment) == "starting"


def test_ended_instance_leaves_the_gateway_and_is_replaced(house: House) -> None:
    deployment = create(house)
    (job,) = jobs(deployment)
    say_ready(job)
    end_job(job, JobState.CANCELLED)
    assert shown()[0]["instances"] == []
    assert services.reconcile_deployments() == 1
    assert len(jobs(deployment)) == 2
    assert services.reconcile_deployments() == 0


def test_failed_deployment_waits_for_somebody(house: House) -> None:
    deployment = create(house)
    (job,) = jobs(deployment)
    end_job(job, JobState.FAILED, {"code": "out_of_memory", "message": "too large", "hint": "", "data": {}})
    assert state(deployment) == "failed"
    assert selectors.reason_of(Deployment.objects.get())["code"] == "out_of_memory"
    services.reconcile_deployments()
    assert len(jobs(deployment)) == 1
    services.start_deployment(house.actor("engineer"), deployment)
    assert len(jobs(deployment)) == 2
    assert state(deployment) == "starting"


def test_lists_read_those_that_live_and_the_newest_that_ended(house: House) -> None:
    """In a year hundreds end. The first of them lives longest, and is read all the same; others keep their own."""
    deployment, other = make_deployment(house.project), make_deployment(house.project, "other")
    old = add_instance(deployment, "http://127.0.0.1:4321", "key")
    ended = [add_instance(deployment, "", "") for _number in range(6)]
    ended += [add_instance(other, "", "")]
    Job.objects.filter(instance__in=ended).update(state=JobState.FAILED, reason={"code": "crashed", "message": "no"})
    Instance.objects.filter(pk__in=[row.pk for row in ended]).update(stopped_at=timezone.now())
    shown = {row.name: row for row in selectors.list_deployments(house.actor("viewer"))}
    assert {row.pk for row in shown["helper"].instances.all()} == {old.pk, *(row.pk for row in ended[3:6])}
    assert [row.pk for row in shown["other"].instances.all()] == [ended[6].pk]
    assert selectors.describe(shown["helper"])["state"] == "degraded", "the newest one failed"
    assert selectors.describe(shown["helper"])["reason"]["code"] == "crashed"
    rows = selectors.instance_rows(shown["helper"])
    assert [row["instance"].pk for row in rows] == [old.pk, *(row.pk for row in reversed(ended[3:6]))]


def test_stop_start_and_delete(house: House) -> None:
    actor, deployment = house.actor("engineer"), create(house)
    services.stop_deployment(actor, deployment)
    assert state(deployment) == "stopped"
    assert jobs(deployment)[0].state == JobState.CANCELLED
    assert shown() == []
    with pytest.raises(Conflict):
        services.stop_deployment(actor, deployment)
    services.start_deployment(actor, deployment)
    with pytest.raises(Conflict):
        services.start_deployment(actor, deployment)
    services.delete_deployment(actor, deployment)
    assert not Deployment.objects.exists()
    assert shown() == []


def test_new_version_takes_over_only_once_it_answers(house: House) -> None:
    actor, deployment = house.actor("engineer"), create(house)
    (old,) = jobs(deployment)
    say_ready(old)
    newer = make_version(house.project, "helper-model", 2)
    services.update_deployment(actor, deployment, model_version=newer)
    old.refresh_from_db()
    assert old.state == JobState.RUNNING
    assert [row["url"] for row in shown()[0]["instances"]] == ["http://127.0.0.1:4321"]
    new = jobs(deployment)[-1]
    say_ready(new, "http://127.0.0.1:5000")
    services.reconcile_deployments()
    old.refresh_from_db()
    assert old.cancel_requested_at is not None
    assert [row["url"] for row in shown()[0]["instances"]] == ["http://127.0.0.1:5000"]


def test_more_and_fewer_replicas(house: House) -> None:
    actor, deployment = house.actor("engineer"), create(house)
    services.update_deployment(actor, deployment, replicas=3)
    assert len(jobs(deployment)) == 3
    services.update_deployment(actor, deployment, replicas=1)
    assert sum(job.state == JobState.QUEUED for job in jobs(deployment)) == 1


def test_name_is_taken(house: House) -> None:
    version = create(house).model_version
    with pytest.raises(Conflict) as caught:
        create(house, model_version=version)
    assert "already has a deployment called “helper”" in str(caught.value)
    elsewhere = services.create_deployment(
        house.actor("stranger"), house.other_project, "helper", make_version(house.other_project)
    )
    assert elsewhere.name == "helper"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "no spaces"}, "name"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": 1000}, "replicas"),
        ({"runtime": "magic"}, "runtime"),
        ({"runtime": "openai"}, "external_url"),
        ({"runtime_params": {"model": "x"}}, "runtime_params.model"),
    ],
)
def test_bad_input_names_the_field(house: House, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        create(house, **fields)
    assert caught.value.data["field"] == field
    assert not Deployment.objects.exists()


def test_bad_engine_settings_leave_nothing_behind(house: House) -> None:
    with pytest.raises(InvalidInput) as caught:
        create(house, runtime_params={"cache_gib": -1})
    assert caught.value.data["errors"][0]["field"] == "cache_gib"
    assert not Deployment.objects.exists()


def test_adapter_alone_is_refused(house: House) -> None:
    with pytest.raises(InvalidInput, match="only an adapter"):
        create(house, model_version=make_version(house.project, "lora", format="adapter"))


@pytest.mark.parametrize("part", ["viewer", "expert", "data_scientist"])
def test_only_those_who_may_deploy(house: House, part: str) -> None:
    with pytest.raises(NotAllowed):
        create(house, part=part)


def test_stranger_finds_nothing(house: House) -> None:
    create(house)
    with pytest.raises(NotFound):
        create(house, "other", part="stranger")
    with pytest.raises(NotFound):
        selectors.get_deployment(house.actor("stranger"), house.project, "helper")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1", "http://localhost/v1", "http://169.254.169.254/latest", "http://[::1]/v1",
        "http://2130706433/v1", "http://0x7f.1/v1", "http://10.1.2.3/v1", "http://[::ffff:127.0.0.1]/v1",
        "file:///etc/passwd", "gopher://example.com", "http://user:pw@example.com/v1", "nonsense", "http://[bad",
    ],
)  # fmt: skip
def test_private_endpoints_are_refused(house: House, url: str) -> None:
    with pytest.raises(InvalidInput):
        services.create_deployment(
            house.actor("engineer"), house.project, "outside", runtime="openai", external_url=url
        )


def test_listed_private_endpoint_is_allowed_and_its_key_is_sealed(house: House, settings: Any) -> None:
    settings.AIFS_PRIVATE_HOSTS = ["127.0.0.1:9999", "169.254.169.254:80"]
    actor = house.actor("engineer")
    outside = services.create_deployment(
        actor, house.project, "outside", external_url="http://127.0.0.1:9999/v1", external_key="sk-secret"
    )
    assert (outside.external_url, outside.runtime) == ("http://127.0.0.1:9999", "openai")
    assert "sk-secret" not in outside.external_key + str(GatewaySnapshot.objects.get().body)
    assert state(outside) == "ready"
    assert jobs(outside) == []
    with pytest.raises(InvalidInput):  # metadata services stay closed whatever is listed
        services.create_deployment(actor, house.project, "meta", external_url="http://169.254.169.254/v1")


@pytest.mark.parametrize(("served_s", "state"), [(60, JobState.QUEUED), (5, JobState.FAILED), (None, JobState.FAILED)])
def test_an_instance_that_served_may_be_killed_any_number_of_times(house: House, served_s, state) -> None:
    """What ended it then was no crash at start; one that never answers, or dies with its first request, is given up."""
    [job] = jobs(create(house))
    say_ready(job)
    since = timezone.now() - timedelta(seconds=served_s) if served_s else None
    Instance.objects.filter(job=job).update(ready_at=since)
    job.refresh_from_db()
    Job.objects.filter(pk=job.pk).update(failures=job.max_attempts - 1)
    job.refresh_from_db()
    requeue(job, reason("crashed", "It crashed."), failed=True, attempt=job.attempts.get())
    job.refresh_from_db()
    assert job.state == state
    if state == JobState.QUEUED:
        assert job.failures == 1
