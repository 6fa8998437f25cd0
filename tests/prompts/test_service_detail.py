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


def test_its_lineage_stands_on_a_tab(house: House) -> None:
    make_service(house)
    client = house.client("viewer")
    assert "<lineage-graph" not in (page := client.get(url_of()).content.decode())
    assert f'href="{url_of()}?tab=lineage"' in page
    page = client.get(f"{url_of()}?tab=lineage").content.decode()
    assert "<lineage-graph" in page and "greeter:1" in page and "Call it" not in page
    assert house.client("stranger").get(f"{url_of()}?tab=lineage").status_code == 404


def test_strangers_and_unknown_names_are_404(house: House) -> None:
    make_service(house)
    assert house.client("stranger").get(url_of()).status_code == 404
    assert house.client(None).get(url_of()).status_code == 302
    assert house.client().get(url_of("nobody")).status_code == 404
