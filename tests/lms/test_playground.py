"""What the playground is given: who can answer, what that holds and costs, and whose answers may become test cases."""

import json
from typing import Any

import pytest
from django.urls import reverse

from apps.gpucloud.models import Job
from tests.factories import House
from tests.lms.serving import add_instance, make_deployment


def context(house: House, part: str = "expert") -> dict[str, Any]:
    page = house.client(part).get(reverse("lms:playground", args=[house.project.slug]))
    assert page.status_code == 200
    return {name: page.context[name] for name in ("models", "rates")} | {"text": page.content.decode()}


@pytest.fixture
def helper(house: House) -> Job:
    """A deployment that answers, and the job of its instance."""
    deployment = make_deployment(house.project)
    job = add_instance(deployment, "http://127.0.0.1:9", "key").job
    Job.objects.filter(pk=job.pk).update(resources={"cpus": 4, "accelerators": 1})
    return job


def test_an_hour_of_an_instance_is_told_without_a_price(house: House, helper: Job) -> None:
    held = {"core_hours": 4.0, "accelerator_hours": 1.0, "amount": None, "currency": None}
    assert json.loads(context(house)["rates"]) == {"helper": held}


def test_and_with_one(house: House, helper: Job, settings: Any) -> None:
    settings.AIFS_CURRENCY, settings.AIFS_PRICE_CORE_HOUR, settings.AIFS_PRICE_ACCELERATOR_HOUR = "CNY", 0.5, 10.0
    rate = json.loads(context(house)["rates"])["helper"]
    assert (rate["amount"], rate["currency"]) == (12.0, "CNY")


def test_an_endpoint_elsewhere_holds_nothing_here(house: House, helper: Job) -> None:
    make_deployment(house.project, "outside", external_url="http://127.0.0.1:9999", external_model="x")
    found = context(house)
    assert list(json.loads(found["rates"])) == ["helper"]
    options = [option for group in json.loads(found["models"]) for option in group["options"]]
    assert {option["deployment"] for option in options} == {"helper", "outside"}


@pytest.mark.parametrize(("part", "may"), [("viewer", False), ("expert", True), ("owner", True)])
def test_only_who_may_make_data_saves_test_cases(house: House, helper: Job, part: str, may: bool) -> None:
    assert (f'data-project="{house.project.slug}"' in context(house, part)["text"].split("<chat-playground")[1]) == may
