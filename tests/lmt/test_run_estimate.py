"""The estimate beside the form, and the formula behind it."""

import pytest
from django.urls import reverse

from apps.core.templatetags.ui import money
from tests.factories import make_house
from tests.lmt.making import META, make_data, make_model
from workers.kinds import kinds
from workers.lmt.estimate import estimate, tokens_of_row
from workers.lmt.methods import methods
from workers.lmt.sft import Params

SMOL = {
    "parameters": 134_515_008,
    "shape": {"hidden_size": 576, "layers": 30, "intermediate_size": 1536, "heads": 9, "vocab_size": 49152},
}
ROWS = {"rows": 500, "report": {"statistics": {"characters_mean": 800, "chinese_rows": 0, "messages_mean": 2}}}


def url(house) -> str:
    return reverse("lmt:run_estimate", args=[house.project.slug])


@pytest.mark.django_db
def test_follows_the_form(tmp_path):
    house = make_house()
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    form = house.client("expert").get(reverse("lmt:run_create", args=[house.project.slug])).context["form"]
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: str(value) for name, value in values.items() if value not in (None, False)}
    sent |= {"model": str(model.pk), "dataset": str(data.pk), "name": "x"}
    client = house.client("expert")
    assert client.post(url(house), sent).context["estimate"]["steps"] == 30
    assert client.post(url(house), sent | {"effort": "quick"}).context["estimate"]["steps"] == 10
    assert "missing" in client.post(url(house), sent | {"learning_rate": "-1"}).context


@pytest.mark.django_db
def test_says_what_the_run_will_hold_and_cost(tmp_path, settings):
    house = make_house()
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    address = reverse("lmt:run_create", args=[house.project.slug]) + f"?model={model.pk}&dataset={data.pk}"
    page = house.client("expert").get(address)
    found = page.context["estimate"]
    assert found["cost"].core_hours == pytest.approx(found["seconds"] / 3600 * kinds.get("lmt.sft").resources.cpus)
    assert "Core hours" in page.content.decode() and "CNY" not in page.content.decode()
    settings.AIFS_CURRENCY, settings.AIFS_PRICE_CORE_HOUR = "CNY", 90.0
    page = house.client("expert").get(address)
    assert money(page.context["estimate"]["cost"].amount) in page.content.decode()


@pytest.mark.django_db
def test_who_may_ask():
    house = make_house()
    assert "missing" in house.client("expert").post(url(house), {}).context
    assert house.client("expert").get(url(house)).status_code == 405
    assert house.client("viewer").post(url(house), {}).status_code == 403
    assert house.client("stranger").post(url(house), {}).status_code == 404
    assert house.client(None).post(url(house), {}).status_code == 302


def params(**given) -> Params:
    return Params.model_validate({"model": "m", "dataset": "d", "name": "n", **given})


def of(**given):
    return estimate(params(**given), model=SMOL, dataset=ROWS, cpus=2)


def test_more_work_takes_longer_and_more_memory():
    plain = of()
    assert of(effort="thorough").seconds > plain.seconds > of(effort="quick").seconds
    assert of(batch_size=8).memory_mib > plain.memory_mib > of(activation_checkpointing=True).memory_mib
    assert of(method="full").memory_mib > plain.memory_mib
    assert of(method="full").trained_parameters == SMOL["parameters"]
    assert plain.trained_parameters < SMOL["parameters"] / 20


def test_a_large_vocabulary_takes_memory():
    """SmolLM2's 49,152 words, 4 rows of a few hundred tokens: their logits are not to be forgotten."""
    small = {**SMOL, "shape": {**SMOL["shape"], "vocab_size": 512}}
    with_few = estimate(params(), model=small, dataset=ROWS, cpus=2).memory_mib
    assert estimate(params(), model=SMOL, dataset=ROWS, cpus=2).memory_mib > with_few + 500


@pytest.mark.parametrize("method", methods.names())
def test_an_empty_learning_rate_is_the_methods(method):
    assert of(method=method).learning_rate == methods.get(method).learning_rate
    assert of(method=method, learning_rate=0.5).learning_rate == 0.5


def test_lora_counts_what_peft_would_train():
    """Rank 16 on all linear layers of SmolLM2: 4,884,480 numbers; grouped attention makes ours an upper bound."""
    assert 4_884_480 <= of().trained_parameters <= 1.3 * 4_884_480


def test_chinese_rows_have_more_tokens():
    chinese = {"rows": 10, "report": {"statistics": {"characters_mean": 100, "chinese_rows": 10, "messages_mean": 2}}}
    western = {"rows": 10, "report": {"statistics": {"characters_mean": 100, "chinese_rows": 0, "messages_mean": 2}}}
    assert tokens_of_row(chinese) > 3 * tokens_of_row(western)


def test_nothing_known_still_gives_an_answer():
    found = estimate(params(), model={}, dataset={}, cpus=1)
    assert found.steps == 30
    assert found.memory_mib > 0
    assert META["parameters"]
