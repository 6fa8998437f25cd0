from django.urls import reverse

from apps.prompts.models import Prompt
from tests.factories import House


def test_an_expert_creates_a_prompt_and_lands_in_the_editor(house: House) -> None:
    url = reverse("prompts:prompt_create", args=["harbour"])
    assert house.client("expert").get(url).status_code == 200
    answer = house.client("expert").post(url, {"name": "greeter", "description": "Says hello"})
    assert answer.url == reverse("prompts:prompt_detail", args=["harbour", "greeter"])
    assert Prompt.objects.get().description == "Says hello"


def test_a_bad_or_taken_name_is_said_beside_the_field(house: House) -> None:
    url = reverse("prompts:prompt_create", args=["harbour"])
    client = house.client("expert")
    assert client.post(url, {"name": "two words"}).status_code == 400
    client.post(url, {"name": "greeter"})
    again = client.post(url, {"name": "greeter"})
    assert again.status_code == 400
    assert b"already has a prompt" in again.content
    assert Prompt.objects.count() == 1


def test_a_viewer_may_not_and_a_stranger_sees_nothing(house: House) -> None:
    url = reverse("prompts:prompt_create", args=["harbour"])
    assert house.client("viewer").post(url, {"name": "x"}).status_code == 403
    assert house.client("stranger").post(url, {"name": "x"}).status_code == 404
