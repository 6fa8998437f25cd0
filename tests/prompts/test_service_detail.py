from django.urls import reverse

from tests.factories import House
from tests.prompts.factories import make_service


def url_of(name: str = "greeter") -> str:
    return reverse("prompts:service_detail", args=["harbour", name])


def test_shows_how_to_call_it_and_no_key(house: House) -> None:
    make_service(house)
    page = house.client("viewer").get(url_of()).content.decode()
    for piece in ("/v1/prompts/greeter/run", "prompt/greeter", "aifs prompts run greeter", "OpenAI("):
        assert piece in page
    assert "aifs_" not in page


def test_leads_to_its_lineage(house: House) -> None:
    service = make_service(house)
    lineage = reverse("core:lineage_detail", args=["harbour", "prompt_service", service.pk])
    client = house.client("viewer")
    assert f'href="{lineage}"' in client.get(url_of()).content.decode()
    assert client.get(lineage).status_code == 200


def test_strangers_and_unknown_names_are_404(house: House) -> None:
    make_service(house)
    assert house.client("stranger").get(url_of()).status_code == 404
    assert house.client(None).get(url_of()).status_code == 302
    assert house.client().get(url_of("nobody")).status_code == 404
