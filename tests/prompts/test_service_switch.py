from django.urls import reverse

from apps.prompts.models import PromptService
from tests.factories import House
from tests.prompts.factories import make_service, make_version


def url_of(name: str = "greeter") -> str:
    return reverse("prompts:service_switch", args=["harbour", name])


def test_another_version_answers_from_now_on(house: House) -> None:
    make_service(house)
    make_version(house, settings={"temperature": 1})
    assert house.client("expert").post(url_of(), {"version": "2"}).status_code == 302
    assert PromptService.objects.get().version.number == 2


def test_a_version_that_is_none(house: House) -> None:
    make_service(house)
    assert house.client("expert").post(url_of(), {"version": "x"}).status_code == 400
    assert house.client("expert").post(url_of(), {"version": "9"}).status_code == 404
    assert PromptService.objects.get().version.number == 1


def test_viewers_may_not_and_strangers_see_nothing(house: House) -> None:
    make_service(house)
    assert house.client("viewer").post(url_of()).status_code == 403
    assert house.client("stranger").post(url_of()).status_code == 404
    assert house.client(None).post(url_of()).status_code == 302
    assert house.client().get(url_of()).status_code == 405
    assert house.client().post(url_of("nobody")).status_code == 404
