"""Load balancers ask whether the process can work."""

import pytest
from django.db import OperationalError, connection
from django.urls import reverse

pytestmark = pytest.mark.django_db


def test_ready_while_the_database_answers(client):
    assert client.get(reverse("health_ready")).json() == {"ready": True}


def test_not_ready_without_the_database(client, monkeypatch):
    def refuse(*args):
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "cursor", refuse)
    answer = client.get(reverse("health_ready"))
    assert answer.status_code == 503
    assert answer["Retry-After"]


def test_live_needs_no_database(client, monkeypatch):
    monkeypatch.setattr(connection, "cursor", None)
    assert client.get(reverse("health_live")).status_code == 200
