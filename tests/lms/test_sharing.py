"""An evaluation that is shared: its figures are read elsewhere, and nothing of the questions behind them."""

from typing import Any

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.models import Artefact
from apps.lms.models import Evaluation
from tests.factories import House, make_project
from tests.lms.serving import make_version
from tests.lms.test_pages import make_evaluation

pytestmark = pytest.mark.django_db


@pytest.fixture
def house(house: House) -> House:
    """`stranger` owns quay."""
    quay = make_project("quay", house.stranger)
    quay.memberships.create(user=house.owner, role="data_scientist")
    return house


@pytest.fixture
def evaluation(house: House) -> Evaluation:
    return make_evaluation(house, make_version(house.project, "tuned"), 0.6)


def page(evaluation: Evaluation) -> str:
    return reverse("core:shared_detail", args=["quay", evaluation.pk])


def test_its_figures_are_read(house: House, evaluation: Evaluation) -> None:
    reader = house.client("stranger")
    assert reader.get(page(evaluation)).status_code == 404
    share = services.share_artefact(house.actor(), evaluation.artefact, project="quay")
    shown = reader.get(page(evaluation)).content.decode()
    for text in ("tuned:1", "mmlu", "60.0", "1.250", "law: 60.0 % ± 1.0 %"):
        assert text in shown, text
    services.revoke_share(house.actor(), share)
    assert reader.get(page(evaluation)).status_code == 404


def test_answers_and_the_model_stay_at_home(house: House, evaluation: Evaluation) -> None:
    row: Any = {"sha256": "0" * 64, "size": 3}
    Artefact.objects.filter(pk=evaluation.pk).update(manifest={"answers.parquet": row})
    services.share_artefact(house.actor(), evaluation.artefact, project="quay")
    reader = house.client("stranger")
    shown = reader.get(page(evaluation)).content.decode()
    assert "Who are you?" not in shown and "answers.parquet" not in shown
    assert reader.get(reverse("lms:evaluation_detail", args=["quay", evaluation.pk])).status_code in (302, 404)
    api = house.api("stranger")
    assert "answers.parquet" not in api.get(reverse("artefact-detail", args=[evaluation.pk])).content.decode()
    assert api.get(reverse("evaluation-detail", args=[evaluation.pk])).status_code == 404
    assert api.get(reverse("model-version-detail", args=[evaluation.model_version_id])).status_code == 404


def test_owners_find_sharing_on_its_page(house: House, evaluation: Evaluation) -> None:
    address = reverse("core:share_list", args=[house.project.slug, "evaluation", evaluation.pk])
    own = reverse("lms:evaluation_detail", args=[house.project.slug, evaluation.pk])
    assert address in house.client("owner").get(own).content.decode()
    assert address not in house.client("viewer").get(own).content.decode()
