"""Start a fine-tune: simple and expert form, refusals beside the field."""

import pytest
from django.urls import reverse

from apps.gpucloud.models import Job
from tests.datasets.making import make_version
from tests.factories import make_house
from tests.lmt.making import make_data, make_model

pytestmark = pytest.mark.django_db


def url(house) -> str:
    return reverse("lmt:run_create", args=[house.project.slug])


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def filled(house, tmp_path) -> dict[str, str]:
    """What a business expert sends: the simple form with its defaults."""
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    page = house.client("expert").get(url(house), {"model": model.pk, "dataset": data.pk})
    form = page.context["form"]
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: str(value) for name, value in values.items() if value not in (None, False)}
    return {**sent, "name": "tuned"}


def test_simple_form_asks_at_most_five_things(house):
    page = house.client("expert").get(url(house))
    assert page.status_code == 200
    names = [field.name for field in page.context["form"].simple_fields()]
    assert names == ["model", "dataset", "name", "effort"]
    assert "learning_rate" in page.content.decode()


def test_what_a_project_does_not_have_yet_is_led_to(house, tmp_path):
    places = [reverse(name, args=[house.project.slug]) for name in ("lms:model_import", "datasets:import_create")]
    links = [f'<a class="link" href="{place}">' for place in places]
    page = house.client("expert").get(url(house)).content.decode()
    assert all(link in page for link in links)
    make_model(house.project, tmp_path)
    page = house.client("expert").get(url(house)).content.decode()
    assert [link in page for link in links] == [False, True]


def test_estimate_stands_beside_a_form_that_is_filled_in(house, tmp_path):
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    page = house.client("expert").get(url(house), {"model": model.pk, "dataset": data.pk})
    assert page.context["estimate"].steps == 30
    assert page.context["estimate"].rows == data.rows
    assert reverse("gpucloud:job_estimate", args=[house.project.slug, "lmt.sft"]) in page.content.decode()


def test_expert_starts_a_run(house, filled):
    answer = house.client("expert").post(url(house), filled)
    run = Job.objects.get()
    assert answer.url == reverse("lmt:run_detail", args=[house.project.slug, run.pk])
    assert run.kind == "lmt.sft"
    assert run.name == "tuned"
    assert run.params["method"] == "lora"
    assert {row.name for row in run.inputs.all()} == {"model", "dataset"}


def test_every_argument_reaches_the_run(house, filled):
    chosen = {"learning_rate": "0.0005", "lora_rank": "8", "max_steps": "7", "packing": "on", "method": "full"}
    house.client("engineer").post(url(house), filled | chosen)
    params = Job.objects.get().params
    assert (params["learning_rate"], params["lora_rank"], params["max_steps"]) == (0.0005, 8, 7)
    assert params["packing"] is True
    assert params["method"] == "full"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", "-1"),
        ("learning_rate", "much"),
        ("batch_size", "0"),
        ("method", "magic"),
        ("name", ""),
        ("name", "a:b"),
        ("model", "no-such-model"),
        ("dataset", ""),
    ],
)
def test_bad_input_stands_beside_its_field(house, filled, field, value):
    answer = house.client().post(url(house), filled | {field: value})
    assert answer.status_code == 400
    assert field in answer.context["form"].errors
    assert answer.context["form"]["lora_rank"].value() == filled["lora_rank"]  # what was typed stays
    assert not Job.objects.exists()


def test_data_without_conversations_is_refused_beside_the_field(house, filled, tmp_path):
    table = make_version(house, tmp_path, "table", [{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    assert table.format == "table"
    answer = house.client().post(url(house), filled | {"dataset": str(table.pk)})
    assert answer.status_code == 400
    assert "table" in str(answer.context["form"].errors["dataset"])


def test_adapter_cannot_be_tuned(house, filled, tmp_path):
    adapter = make_model(house.project, tmp_path, "half", format="adapter")
    answer = house.client().post(url(house), filled | {"model": str(adapter.pk)})
    assert answer.status_code == 400
    assert "model" in answer.context["form"].errors


def test_api_names_the_field(house, tmp_path):
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    params = {"model": str(model.pk), "dataset": str(data.pk), "name": "x", "learning_rate": -1}
    answer = house.client("engineer").post(
        "/api/v1/jobs/",
        {"project": house.project.slug, "kind": "lmt.sft", "params": params},
        content_type="application/json",
        headers={"Authorization": f"Bearer {house.key('engineer')}"},
    )
    assert answer.status_code == 400
    assert [row["field"] for row in answer.json()["data"]["errors"]] == ["learning_rate"]


def test_signed_out_goes_to_the_sign_in_page(house):
    assert house.client(None).get(url(house)).status_code == 302


def test_viewer_may_not(house, filled):
    assert house.client("viewer").post(url(house), filled).status_code == 403
    assert not Job.objects.exists()


def test_stranger_finds_nothing(house, filled):
    assert house.client("stranger").post(url(house), filled).status_code == 404


def test_somebody_elses_model_is_not_found(house, filled, tmp_path):
    foreign = make_model(house.other_project, tmp_path, "foreign")
    answer = house.client().post(url(house), filled | {"model": str(foreign.pk)})
    assert answer.status_code == 400
    assert "model" in answer.context["form"].errors
