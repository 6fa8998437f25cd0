"""The palette finds artefacts, jobs and pages through providers."""

import pytest
from django.urls import reverse

from apps.core import navigation
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


def test_every_provider_answers(house, monkeypatch):
    def provider(actor, project, query):
        return [(f"{query} in {project.slug}", "/somewhere/", "Thing")]

    monkeypatch.setattr(navigation, "_providers", {"things": provider})
    url = reverse("core:search", args=[house.project.slug])
    assert house.client("viewer").get(url, {"q": "loss"}).json() == {
        "results": [{"label": "loss in harbour", "url": "/somewhere/", "kind": "Thing"}]
    }
    assert house.client("viewer").get(url).json() == {"results": []}


@pytest.mark.parametrize(("part", "status"), [("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert house.client(part).get(reverse("core:search", args=[house.project.slug])).status_code == status
