"""What a dataset is said to be can be changed; its rows cannot."""

import pytest
from django.urls import reverse

from apps.core.models import AuditEvent
from apps.datasets import services
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def dataset(house):
    return services.create_dataset(house.actor(), house.project, name="facts")


def url(house, dataset):
    return reverse("datasets:dataset_update", args=[house.project.slug, dataset.pk])


def test_works(house, dataset):
    answer = house.client("expert").post(
        url(house, dataset), {"kind": "private", "description": "Ours.", "name": "other"}
    )
    assert answer.status_code == 302
    dataset.refresh_from_db()
    assert (dataset.kind, dataset.description, dataset.name) == ("private", "Ours.", "facts")
    assert AuditEvent.objects.filter(action="dataset.update", user=house.expert).exists()


def test_bad_input(house, dataset):
    answer = house.client().post(url(house, dataset), {"kind": "secret"})
    assert answer.status_code == 400
    assert "field-error" in answer.content.decode()


def test_not_allowed(house, dataset):
    assert house.client().get(url(house, dataset)).status_code == 405
    assert house.client("viewer").post(url(house, dataset), {"kind": "private"}).status_code == 403
    assert house.client("stranger").post(url(house, dataset), {"kind": "private"}).status_code == 404
    assert house.client(None).post(url(house, dataset), {"kind": "private"}).status_code == 302
