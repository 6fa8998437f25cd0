from django.urls import reverse

from apps.prompts.models import PromptService
from tests.factories import House, make_house
from tests.prompts.factories import make_service, make_version


def url_of(number: int = 1) -> str:
    return reverse("prompts:version_publish", args=["harbour", "greeter", number])


def test_publishes_and_shows_the_service(house: House) -> None:
    make_version(house)
    answer = house.client("expert").post(url_of(), {"name": "hello"})
    assert answer.url == reverse("prompts:service_detail", args=["harbour", "hello"])
    assert PromptService.objects.get().enabled


def test_a_taken_or_bad_name_is_said_beside_the_field(house: House) -> None:
    make_service(make_house("elsewhere"))
    make_version(house)
    client = house.client("expert")
    assert client.post(url_of(), {"name": "two words"}).status_code == 400
    taken = client.post(url_of(), {"name": "greeter"})
    assert taken.status_code == 400
    assert b"is taken" in taken.content
    assert reverse("prompts:version_detail", args=["harbour", "greeter", 1]) + "?tab=spec" in taken.content.decode()


def test_without_a_deployment_nothing_is_published(house: House) -> None:
    make_version(house, deployment=None)
    assert house.client().post(url_of(), {"name": "hello"}).status_code == 400
    assert not PromptService.objects.exists()


def test_viewers_may_not_and_strangers_see_nothing(house: House) -> None:
    make_version(house)
    assert house.client("viewer").post(url_of(), {"name": "x"}).status_code == 403
    assert house.client("stranger").post(url_of(), {"name": "x"}).status_code == 404
    assert house.client().post(url_of(7), {"name": "x"}).status_code == 404
