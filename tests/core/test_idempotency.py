"""`Idempotency-Key`: sent twice, made once."""

import threading

import pytest
from django.db import connection
from rest_framework import serializers
from rest_framework.mixins import CreateModelMixin
from rest_framework.test import APIRequestFactory, force_authenticate

from apps.core.access import Actor
from apps.core.models import Artefact, IdempotencyKey
from apps.core.rest import IdempotentCreate, ProjectViewSet
from apps.core.services import register_artefact
from tests.factories import make_house

pytestmark = pytest.mark.django_db


class Body(serializers.ModelSerializer):
    class Meta:
        model = Artefact
        fields = ("id", "name")


class Things(IdempotentCreate, CreateModelMixin, ProjectViewSet):
    """A creating call as apps write them."""

    queryset = Artefact.objects.all()
    serializer_class = Body

    def perform_create(self, serializer: Body) -> None:
        if serializer.validated_data["name"] == "fail":
            raise serializers.ValidationError("no")
        serializer.instance = register_artefact(
            project=self.get_project(), type="thing", manifest={}, **serializer.validated_data
        )


view = Things.as_view({"post": "create"})


def post(house, name="one", key="k1", part="expert"):
    request = APIRequestFactory().post(
        "/things/", {"project": house.project.slug, "name": name}, format="json", headers={"Idempotency-Key": key}
    )
    user = house.user(part)
    request.actor = Actor(user)
    force_authenticate(request, user)
    return view(request)


def test_the_second_call_gets_the_first_answer():
    house = make_house()
    first, second = post(house), post(house)
    assert first.status_code == second.status_code == 201
    assert first.data["id"] == second.data["id"]
    assert second["Idempotency-Replayed"] == "true"
    assert Artefact.objects.count() == 1


def test_another_body_under_the_same_key_is_a_conflict():
    house = make_house()
    post(house)
    assert post(house, name="two").data["code"] == "idempotency_key_reused"
    assert post(house, part="engineer").data["code"] == "idempotency_key_reused"
    assert Artefact.objects.count() == 1


def test_a_failed_call_may_be_tried_again():
    house = make_house()
    assert post(house, name="fail").status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert post(house).status_code == 201


def test_a_key_too_long_is_refused():
    assert post(make_house(), key="k" * 201).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one():
    house = make_house()
    barrier, answers = threading.Barrier(2), []

    def call() -> None:
        try:
            barrier.wait(timeout=10)
            answers.append(post(house))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Artefact.objects.count() == 1
