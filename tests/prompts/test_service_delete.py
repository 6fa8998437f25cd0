from django.urls import reverse

from apps.prompts.models import PromptService, PromptVersion
from tests.factories import House
from tests.prompts.factories import make_service


def url_of(name: str = "greeter") -> str:
    return reverse("prompts:service_delete", args=["harbour", name])


def test_the_name_is_gone_and_the_prompt_stays(house: House) -> None:
    make_service(house)
    assert house.client("expert").post(url_of()).status_code == 302
    assert not PromptService.objects.exists()
    assert PromptVersion.objects.exists()


def test_viewers_may_not_and_strangers_see_nothing(house: House) -> None:
    make_service(house)
    assert house.client("viewer").post(url_of()).status_code == 403
    assert house.client("stranger").post(url_of()).status_code == 404
    assert house.client(None).post(url_of()).status_code == 302
    assert house.client().get(url_of()).status_code == 405
    assert house.client().post(url_of("nobody")).status_code == 404
