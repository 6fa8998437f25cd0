from django.urls import reverse

from apps.prompts import services
from tests.factories import House
from tests.prompts.factories import make_version


def url_of(name: str = "greeter") -> str:
    return reverse("prompts:prompt_detail", args=["harbour", name])


def test_the_editor_holds_the_newest_version_or_the_one_asked_for(house: House) -> None:
    make_version(house)
    make_version(house, messages=[{"role": "user", "content": "Second {{ question }}"}], variables=None)
    client = house.client("expert")
    assert b"Second" in client.get(url_of()).content
    old = client.get(url_of(), {"version": "1"})
    assert b"Second" not in old.content
    assert b"Answer in a" in old.content
    assert client.get(url_of(), {"version": "9"}).status_code == 404


def test_a_new_prompt_opens_with_a_first_draft(house: House) -> None:
    services.create_prompt(house.actor(), house.project, "greeter")
    page = house.client("expert").get(url_of())
    assert page.status_code == 200
    assert b"{{ question }}" in page.content


def test_markup_in_a_prompt_is_inert(house: House) -> None:
    attack = "</textarea><script>alert(1)</script>"
    make_version(house, messages=[{"role": "user", "content": attack}], variables=[], note=attack)
    for url in (
        url_of(),
        reverse("prompts:version_detail", args=["harbour", "greeter", 1]),
        reverse("prompts:version_list", args=["harbour", "greeter"]),
    ):
        assert b"<script>alert" not in house.client().get(url).content


def test_strangers_and_unknown_prompts_are_404(house: House) -> None:
    make_version(house)
    assert house.client("stranger").get(url_of()).status_code == 404
    assert house.client().get(url_of("nobody")).status_code == 404
    assert house.client(None).get(url_of()).status_code == 302
