from django.urls import reverse

from apps.prompts import services
from tests.factories import House
from tests.prompts.factories import MESSAGES, make_version


def test_lists_versions_and_compares_two(house: House) -> None:
    make_version(house, note="the first")
    make_version(house, messages=[MESSAGES[0], {"role": "user", "content": "Short: {{ question }}"}])
    make_version(house, settings={"temperature": 1})
    url = reverse("prompts:version_list", args=["harbour", "greeter"])
    page = house.client("viewer").get(url).content.decode()
    assert "the first" in page
    assert "temperature: 1" in page, "the last two are compared"
    compared = house.client("viewer").get(url, {"old": "1", "new": "2"}).content.decode()
    assert "Short: {{ question }}" in compared


def test_bad_numbers_compare_nothing(house: House) -> None:
    make_version(house)
    make_version(house, settings={})
    url = reverse("prompts:version_list", args=["harbour", "greeter"])
    assert house.client().get(url, {"old": "x", "new": "-1"}).status_code == 200
    assert house.client().get(url, {"new": "77"}).status_code == 404


def test_a_prompt_without_versions(house: House) -> None:
    services.create_prompt(house.actor(), house.project, "greeter")
    assert house.client().get(reverse("prompts:version_list", args=["harbour", "greeter"])).status_code == 200


def test_strangers_see_nothing(house: House) -> None:
    make_version(house)
    assert house.client("stranger").get(reverse("prompts:version_list", args=["harbour", "greeter"])).status_code == 404
