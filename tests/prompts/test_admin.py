"""Operators look and search; they change nothing here."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import House, make_user
from tests.prompts.factories import make_service


@pytest.mark.parametrize("model", ["prompt", "promptversion", "promptservice"])
def test_operators_look_and_search(house: House, model: str) -> None:
    service = make_service(house)
    pk = {"prompt": service.version.prompt_id, "promptversion": service.version_id, "promptservice": service.pk}[model]
    client = Client()
    client.force_login(
        make_user("operator", is_staff=True, is_superuser=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get(reverse(f"admin:prompts_{model}_changelist"), {"q": "greeter"}).status_code == 200
    assert client.get(reverse(f"admin:prompts_{model}_change", args=[pk])).status_code == 200
    assert client.get(reverse(f"admin:prompts_{model}_add")).status_code == 403
    assert client.post(reverse(f"admin:prompts_{model}_delete", args=[pk]), {"post": "yes"}).status_code == 403
