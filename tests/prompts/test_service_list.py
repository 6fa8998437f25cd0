from django.urls import reverse

from tests.factories import House
from tests.prompts.factories import make_service


def test_lists_the_projects_services(house: House) -> None:
    url = reverse("prompts:service_list", args=["harbour"])
    assert reverse("prompts:prompt_list", args=["harbour"]).encode() in house.client("viewer").get(url).content
    make_service(house)
    assert b"prompt/greeter" in house.client("viewer").get(url).content


def test_signed_out_and_strangers_see_nothing(house: House) -> None:
    url = reverse("prompts:service_list", args=["harbour"])
    assert house.client(None).get(url).status_code == 302
    assert house.client("stranger").get(url).status_code == 404
