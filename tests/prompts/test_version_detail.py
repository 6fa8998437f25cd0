from django.urls import reverse

from tests.factories import House
from tests.prompts.factories import make_version


def test_shows_the_version_its_hash_and_a_form_to_publish(house: House) -> None:
    version = make_version(house)
    url = reverse("prompts:version_detail", args=["harbour", "greeter", 1])
    page = house.client("expert").get(url).content.decode()
    for piece in ("Answer in a {{ tone }} voice.", version.artefact.sha256, "Publish this version"):
        assert piece in page
    read = house.client("viewer").get(url).content.decode()
    assert version.artefact.sha256 in read and "Publish this version" not in read


def test_without_a_deployment_there_is_no_form(house: House) -> None:
    make_version(house, deployment=None)
    page = house.client().get(reverse("prompts:version_detail", args=["harbour", "greeter", 1]))
    assert b"Publish this version" not in page.content


def test_strangers_and_unknown_numbers_are_404(house: House) -> None:
    make_version(house)
    assert (
        house.client("stranger").get(reverse("prompts:version_detail", args=["harbour", "greeter", 1])).status_code
        == 404
    )
    assert house.client().get(reverse("prompts:version_detail", args=["harbour", "greeter", 2])).status_code == 404
