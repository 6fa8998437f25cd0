"""service_list, service_detail, service_switch, service_enable, service_delete, service_chat."""

from django.urls import reverse

from apps.prompts.models import PromptService
from tests.factories import House
from tests.prompts.factories import make_service, make_version


def url_of(page: str, name: str | None = "greeter") -> str:
    return reverse(f"prompts:service_{page}", args=["harbour", name] if name else ["harbour"])


def test_service_list(house: House) -> None:
    assert house.client("viewer").get(url_of("list", None)).status_code == 200
    make_service(house)
    assert b"prompt/greeter" in house.client("viewer").get(url_of("list", None)).content


def test_service_detail_shows_how_to_call_it(house: House) -> None:
    make_service(house)
    page = house.client("viewer").get(url_of("detail")).content.decode()
    for piece in ("/v1/prompts/greeter/run", "prompt/greeter", "aifs prompts run greeter", "OpenAI("):
        assert piece in page
    assert "aifs_" not in page, "no key in a snippet"


def test_service_switch(house: House) -> None:
    make_service(house)
    make_version(house, settings={"temperature": 1})
    assert house.client("expert").post(url_of("switch"), {"version": "2"}).status_code == 302
    assert PromptService.objects.get().version.number == 2
    assert house.client("expert").post(url_of("switch"), {"version": "x"}).status_code == 400
    assert house.client("expert").post(url_of("switch"), {"version": "9"}).status_code == 404


def test_service_enable(house: House) -> None:
    make_service(house)
    house.client("expert").post(url_of("enable"), {"enabled": "0"})
    assert PromptService.objects.get().enabled is False
    assert b"switched off" in house.client().get(url_of("chat")).content
    house.client("expert").post(url_of("enable"), {"enabled": "1"})
    assert PromptService.objects.get().enabled is True


def test_service_delete(house: House) -> None:
    make_service(house)
    assert house.client("expert").post(url_of("delete")).status_code == 302
    assert not PromptService.objects.exists()


def test_service_chat(house: House) -> None:
    make_service(house)
    page = house.client("viewer").get(url_of("chat")).content.decode()
    assert f'data-url="{url_of("ask")}"' in page


def test_viewers_change_nothing_and_strangers_see_nothing(house: House) -> None:
    make_service(house)
    for page in ("switch", "enable", "delete"):
        assert house.client("viewer").post(url_of(page)).status_code == 403
        assert house.client("stranger").post(url_of(page)).status_code == 404
        assert house.client().get(url_of(page)).status_code == 405
    for page in ("detail", "chat"):
        assert house.client("stranger").get(url_of(page)).status_code == 404
        assert house.client().get(url_of(page, "nobody")).status_code == 404
