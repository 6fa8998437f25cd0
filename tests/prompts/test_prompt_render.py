"""`/internal/prompts/<name>/render`: what the gateway asks."""

import time
from typing import Any

from django.conf import settings
from django.test import Client

from apps.core import internal
from apps.prompts import services
from tests.factories import House
from tests.prompts.factories import make_service


def ask(project: object, body: Any, name: str = "greeter", token: str | None = None) -> Any:
    token = internal.sign(settings.SECRET_KEY, str(project)) if token is None else token
    return Client().post(
        f"/internal/prompts/{name}/render", body, content_type="application/json", headers={internal.HEADER: token}
    )


def test_gives_messages_deployment_and_settings(house: House) -> None:
    make_service(house)
    answer = ask(house.project.pk, {"inputs": {"question": "Why?"}, "messages": []})
    assert answer.status_code == 200
    assert answer.json() == {
        "deployment": "harbour-chat",
        "messages": [
            {"role": "system", "content": "Answer in a warm voice."},
            {"role": "user", "content": "Why?"},
        ],
        "settings": {"temperature": 0},
        "version": 1,
    }


def test_a_missing_variable_is_named(house: House) -> None:
    make_service(house)
    answer = ask(house.project.pk, {"inputs": {}, "messages": []})
    assert (answer.status_code, answer.json()["code"]) == (400, "variable_missing")
    assert answer.json()["data"]["missing"] == ["question"]


def test_only_the_installation_itself_and_only_for_the_services_project(house: House) -> None:
    make_service(house)
    body = {"inputs": {"question": "?"}, "messages": []}
    forged = internal.sign("another secret", str(house.project.pk))
    old = internal.sign(settings.SECRET_KEY, str(house.project.pk), time.time() - 300)
    for token in ("", "x", "a.b.c", forged, old):
        assert ask(house.project.pk, body, token=token).status_code == 404
    assert ask(house.other_project.pk, body).status_code == 404
    assert ask(house.project.pk, body, name="nobody").status_code == 404


def test_a_switched_off_service_is_gone(house: House) -> None:
    services.set_service_enabled(house.actor(), make_service(house), False)
    assert ask(house.project.pk, {"inputs": {"question": "?"}}).status_code == 404


def test_bad_shapes(house: House) -> None:
    make_service(house)
    for body in ({"inputs": []}, {"messages": "x"}, {"messages": [1]}, {"inputs": {"nobody": "1", "question": "?"}}):
        assert ask(house.project.pk, body).status_code == 400, body
