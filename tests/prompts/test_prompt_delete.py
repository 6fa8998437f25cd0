from django.urls import reverse

from apps.core.models import Artefact
from apps.prompts.models import Prompt
from tests.factories import House
from tests.prompts.factories import make_service, make_version

URL = ("prompts:prompt_delete", ["harbour", "greeter"])


def test_deletes_a_prompt_with_its_versions(house: House) -> None:
    make_version(house)
    url = reverse(URL[0], args=URL[1])
    assert house.client("expert").get(url).status_code == 405
    assert house.client("expert").post(url).status_code == 302
    assert not Prompt.objects.exists()
    assert not Artefact.objects.filter(type="prompt_version").exists()


def test_a_published_one_stays(house: House) -> None:
    make_service(house)
    assert house.client("expert").post(reverse(URL[0], args=URL[1])).status_code == 409
    assert Prompt.objects.exists()


def test_viewers_may_not_and_strangers_see_nothing(house: House) -> None:
    make_version(house)
    url = reverse(URL[0], args=URL[1])
    assert house.client("viewer").post(url).status_code == 403
    assert house.client("stranger").post(url).status_code == 404
