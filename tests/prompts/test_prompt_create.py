from django.urls import reverse

from apps.core import services as core
from apps.core.models import LineageEdge, Membership
from apps.prompts.models import Prompt
from tests.factories import House, make_project
from tests.prompts.factories import MESSAGES, make_version


def test_an_expert_creates_a_prompt_and_lands_in_the_editor(house: House) -> None:
    url = reverse("prompts:prompt_create", args=["harbour"])
    assert house.client("expert").get(url).status_code == 200
    answer = house.client("expert").post(url, {"name": "greeter", "description": "Says hello"})
    assert answer.url == reverse("prompts:prompt_detail", args=["harbour", "greeter"])
    assert Prompt.objects.get().description == "Says hello"


def test_a_bad_or_taken_name_is_said_beside_the_field(house: House) -> None:
    url = reverse("prompts:prompt_create", args=["harbour"])
    client = house.client("expert")
    assert client.post(url, {"name": "two words"}).status_code == 400
    client.post(url, {"name": "greeter"})
    again = client.post(url, {"name": "greeter"})
    assert again.status_code == 400
    assert b"already has a prompt" in again.content
    assert Prompt.objects.count() == 1


def test_a_viewer_may_not_and_a_stranger_sees_nothing(house: House) -> None:
    url = reverse("prompts:prompt_create", args=["harbour"])
    assert house.client("viewer").post(url, {"name": "x"}).status_code == 403
    assert house.client("stranger").post(url, {"name": "x"}).status_code == 404


def test_a_shared_version_is_read_and_copied_without_the_deployment(house: House) -> None:
    """`stranger` owns quay and is nobody in harbour."""
    quay = make_project("quay", house.stranger)
    Membership.objects.create(project=quay, user=house.owner, role="expert")
    version = make_version(house)
    share = core.share_artefact(house.actor(), version.artefact, project="quay")
    client = house.client("stranger")
    page = client.get(reverse("core:shared_detail", args=["quay", version.pk])).content.decode()
    assert "Answer in a {{ tone }} voice." in page and "harbour-chat" not in page
    url = reverse("prompts:prompt_create", args=["quay"]) + f"?from={version.pk}"
    assert url in page
    assert client.get(url).context["form"].initial == {"name": "greeter"}
    assert client.post(url, {"name": "ours"}).status_code == 302
    copied = Prompt.objects.get(name="ours").versions.get()
    assert (copied.prompt.project, copied.messages, copied.deployment) == (quay, MESSAGES, None)
    assert LineageEdge.objects.get(child=copied.artefact).parent == version.artefact
    core.revoke_share(house.actor(), share)
    assert client.get(url).status_code == 404
    assert client.post(url, {"name": "later"}).status_code == 404
    assert client.get(reverse("prompts:version_detail", args=["quay", "ours", 1])).status_code == 200


def test_a_copy_of_nothing(house: House) -> None:
    url = reverse("prompts:prompt_create", args=["harbour"])
    assert house.client("expert").get(url, {"from": "nonsense"}).status_code == 404


def test_a_chinese_name_is_refused_in_plain_words(house: House) -> None:
    page = house.client("expert").post(reverse("prompts:prompt_create", args=["harbour"]), {"name": "问候"})
    assert page.status_code == 400
    assert "Use letters a-z, digits, - and _" in page.content.decode()
