"""Rules of prompts: versions never change, publishing switches, nothing published is lost."""

import pytest

from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.core.models import AuditEvent, LineageEdge
from apps.core.storage import storage
from apps.prompts import selectors, services
from apps.prompts.models import Prompt, PromptService
from tests.factories import House, make_house
from tests.prompts.factories import MESSAGES, make_deployment, make_service, make_version


def test_a_version_is_stored_with_its_model_as_parent(house: House) -> None:
    version = make_version(house)
    assert version.number == 1
    with storage().open(version.artefact.manifest["prompt.json"]["sha256"]) as file:
        assert b"Answer in a" in file.read()
    edge = LineageEdge.objects.get(child=version.artefact)
    assert (edge.parent.type, edge.role) == ("model_version", "model")
    assert AuditEvent.objects.filter(action="prompt_version.create").count() == 1


def test_saving_the_same_again_is_the_same_version(house: House) -> None:
    first = make_version(house)
    assert make_version(house) == first
    assert make_version(house, settings={"temperature": 1}).number == 2
    assert make_version(house).number == 3, "what an older version held is a new version again"


def test_a_name_is_taken_once_and_is_a_slug(house: House) -> None:
    services.create_prompt(house.actor(), house.project, "greeter")
    with pytest.raises(Conflict):
        services.create_prompt(house.actor(), house.project, "greeter")
    for name in ("", "two words", "../x", "问候", "x" * 81):
        with pytest.raises(InvalidInput):
            services.create_prompt(house.actor(), house.project, name)


def test_a_viewer_writes_nothing_and_an_expert_publishes(house: House) -> None:
    with pytest.raises(NotAllowed):
        services.create_prompt(house.actor("viewer"), house.project, "greeter")
    version = make_version(house)
    with pytest.raises(NotAllowed):
        services.publish_version(house.actor("viewer"), version)
    assert services.publish_version(house.actor("expert"), version).name == "greeter"


def test_publishing_another_version_switches_the_service(house: House) -> None:
    service = make_service(house)
    second = make_version(house, settings={"temperature": 1})
    switched = services.publish_version(house.actor(), second)
    assert (switched.pk, switched.version.number) == (service.pk, 2)


def test_a_service_name_belongs_to_one_project(house: House) -> None:
    make_service(house)
    other = make_house("elsewhere")
    version = make_version(other)
    with pytest.raises(Conflict):
        services.publish_version(other.actor(), version)
    assert services.publish_version(other.actor(), version, "greeter-2").name == "greeter-2"


def test_without_a_deployment_nothing_is_published(house: House) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.publish_version(house.actor(), make_version(house, deployment=None))
    assert caught.value.data["errors"][0]["field"] == "deployment"


def test_a_published_prompt_is_not_deleted(house: House) -> None:
    service = make_service(house)
    prompt = service.version.prompt
    with pytest.raises(Conflict):
        services.delete_prompt(house.actor(), prompt)
    services.delete_service(house.actor(), service)
    services.delete_prompt(house.actor(), prompt)
    assert not Prompt.objects.exists()


def test_the_gateway_is_told_of_enabled_services_only(house: House) -> None:
    service = make_service(house)
    listed = selectors.gateway_models()
    assert [(row["name"], row["deployment"]) for row in listed] == [("prompt/greeter", "harbour-chat")]
    services.set_service_enabled(house.actor(), service, False)
    assert selectors.gateway_models() == []
    with pytest.raises(NotFound):
        selectors.get_published("greeter", str(house.project.pk))


def test_a_published_prompt_is_found_in_its_own_project_only(house: House) -> None:
    make_service(house)
    assert selectors.get_published("greeter", str(house.project.pk)).name == "greeter"
    for project in (str(house.other_project.pk), "nonsense", ""):
        with pytest.raises(NotFound):
            selectors.get_published("greeter", project)


def test_rendered_for_the_gateway(house: House) -> None:
    service = make_service(house)
    answer = services.rendered_for_gateway(
        service, {"tone": "dry"}, [{"role": "user", "content": "Where is the port?"}]
    )
    assert answer["deployment"] == "harbour-chat"
    assert [turn["content"] for turn in answer["messages"]] == ["Answer in a dry voice.", "Where is the port?"]
    assert answer["settings"] == {"temperature": 0}
    with pytest.raises(InvalidInput) as caught:
        services.rendered_for_gateway(service, {}, [])
    assert caught.value.data["missing"] == ["question"]


def test_differences_between_versions(house: House) -> None:
    old = make_version(house)
    new = make_version(house, messages=[MESSAGES[0], {"role": "user", "content": "In short: {{ question }}"}])
    changed = {(line.kind, line.text.strip()) for line in selectors.diff(old, new) if line.kind in {"added", "removed"}}
    assert changed == {("removed", "content: '{{ question }}'"), ("added", "content: 'In short: {{ question }}'")}
    assert selectors.diff(new, new) == []


def test_versions_are_found_by_name_and_number(house: House) -> None:
    first, second = make_version(house), make_version(house, note="again", settings={})
    assert selectors.find_version(house.project, "greeter") == second.artefact
    assert selectors.find_version(house.project, "greeter:1") == first.artefact
    for ref in ("greeter:9", "greeter:x", "nobody"):
        assert selectors.find_version(house.project, ref) is None
    assert selectors.find_version(house.other_project, "greeter") is None


def test_a_deployment_of_another_project_is_unknown(house: House) -> None:
    make_deployment(house, "quay")
    assert selectors.find_deployment(house.project, "quay").name == "quay"
    with pytest.raises(InvalidInput):
        selectors.find_deployment(house.other_project, "quay")
    assert PromptService.objects.count() == 0
