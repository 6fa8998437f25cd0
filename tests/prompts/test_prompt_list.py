from django.urls import reverse

from tests.factories import House
from tests.prompts.factories import make_version


def test_lists_prompts_and_finds_by_name(house: House) -> None:
    make_version(house, "greeter")
    make_version(house, "farewell")
    url = reverse("prompts:prompt_list", args=["harbour"])
    page = house.client("viewer").get(url)
    assert page.status_code == 200
    assert b"greeter" in page.content
    assert b"farewell" in page.content
    found = house.client("viewer").get(url, {"q": "greet"})
    assert b"greeter" in found.content
    assert b"farewell" not in found.content


def test_an_empty_project_is_told_what_to_do(house: House) -> None:
    page = house.client().get(reverse("prompts:prompt_list", args=["harbour"]))
    assert reverse("prompts:prompt_create", args=["harbour"]).encode() in page.content


def test_signed_out_and_strangers_see_nothing(house: House) -> None:
    url = reverse("prompts:prompt_list", args=["harbour"])
    assert house.client(None).get(url).status_code == 302
    assert house.client("stranger").get(url).status_code == 404
