from django.urls import reverse

from apps.prompts.models import PromptService
from tests.factories import House
from tests.prompts.factories import make_service


def url_of(name: str = "greeter") -> str:
    return reverse("prompts:service_enable", args=["harbour", name])


def test_off_the_gateway_and_back(house: House) -> None:
    make_service(house)
    house.client("expert").post(url_of(), {"enabled": "0"})
    assert PromptService.objects.get().enabled is False
    house.client("expert").post(url_of(), {"enabled": "1"})
    assert PromptService.objects.get().enabled is True


def test_viewers_may_not_and_strangers_see_nothing(house: House) -> None:
    make_service(house)
    assert house.client("viewer").post(url_of()).status_code == 403
    assert house.client("stranger").post(url_of()).status_code == 404
    assert house.client(None).post(url_of()).status_code == 302
    assert house.client().get(url_of()).status_code == 405
    assert house.client().post(url_of("nobody")).status_code == 404
