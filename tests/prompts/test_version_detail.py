import ast
import json
import shlex

import pytest
import yaml
from django.urls import reverse

from aifs.sdk import cli
from apps.gpucloud.details import ARTEFACT_TABS
from apps.prompts import snippets
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


@pytest.mark.parametrize("tab", ARTEFACT_TABS)
def test_every_tab(house: House, tab: str) -> None:
    make_version(house)
    url = reverse("prompts:version_detail", args=["harbour", "greeter", 1])
    answer = house.client("viewer").get(f"{url}?tab={tab}")
    assert [row["active"] for row in answer.context["tabs"]] == [name == tab for name in ARTEFACT_TABS]
    page = answer.content.decode()
    assert ("<lineage-graph" in page) is (tab == "lineage") and ("aifs prompts push" in page) is (tab == "spec")
    assert house.client("stranger").get(f"{url}?tab={tab}").status_code == 404


@pytest.mark.parametrize("deployed", [True, False])
def test_its_spec_saves_the_same_again(house: House, deployed: bool) -> None:
    """As the API, the file of `aifs prompts push` and Python take it."""
    version = make_version(house, **({} if deployed else {"deployment": None}))
    told = {row["title"]: row["code"] for row in snippets.of_version(version)}
    body = json.loads(told["JSON"])
    assert body == json.loads(shlex.split(told["curl"])[-1])
    assert {"project": "harbour", "prompt": "greeter", **yaml.safe_load(told["YAML"])} == body
    given = cli.parser().parse_args(shlex.split(told["aifs"])[1:])
    assert (given.name, given.file) == ("greeter", "greeter.yaml")
    name, content = ast.parse(told["Python"]).body[1].value.args  # type: ignore[attr-defined]
    assert ast.literal_eval(content) == yaml.safe_load(told["YAML"]) and name.value == "greeter"
    saved = house.api().post("/api/v1/prompt-versions/", body, content_type="application/json")
    assert saved.json()["id"] == str(version.pk)


def test_strangers_and_unknown_numbers_are_404(house: House) -> None:
    make_version(house)
    assert (
        house.client("stranger").get(reverse("prompts:version_detail", args=["harbour", "greeter", 1])).status_code
        == 404
    )
    assert house.client().get(reverse("prompts:version_detail", args=["harbour", "greeter", 2])).status_code == 404
