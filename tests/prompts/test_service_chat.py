from django.urls import reverse

from apps.prompts.models import PromptService
from tests.factories import House
from tests.prompts.factories import make_service


def url_of(name: str = "greeter") -> str:
    return reverse("prompts:service_chat", args=["harbour", name])


def test_every_member_may_talk_to_it(house: House) -> None:
    make_service(house)
    page = house.client("viewer").get(url_of()).content.decode()
    assert f'data-url="{reverse("prompts:service_ask", args=["harbour", "greeter"])}"' in page


def test_a_service_that_is_switched_off_says_so(house: House) -> None:
    make_service(house)
    PromptService.objects.update(enabled=False)
    page = house.client("viewer").get(url_of()).content
    assert b"switched off" in page
    assert b"<chat-playground" not in page


def test_strangers_and_unknown_names_are_404(house: House) -> None:
    make_service(house)
    assert house.client("stranger").get(url_of()).status_code == 404
    assert house.client(None).get(url_of()).status_code == 302
    assert house.client().get(url_of("nobody")).status_code == 404
