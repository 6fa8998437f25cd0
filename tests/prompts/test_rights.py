"""Pages offer nobody what their role may not do: no link and no button of them answers 403."""

import re
from typing import Any

import pytest
from django.urls import reverse

from tests.factories import House
from tests.lms.test_pages import make_evaluation
from tests.prompts.factories import make_service

PAGES = [
    ("lms:model_list", ()), ("lms:model_detail", ("tiny",)), ("lms:evaluation_list", ()), ("lms:deployment_list", ()),
    ("lms:deployment_detail", ("harbour-chat",)), ("lms:playground", ()), ("prompts:prompt_list", ()),
    ("prompts:prompt_detail", ("greeter",)), ("prompts:version_list", ("greeter",)),
    ("prompts:version_detail", ("greeter", 1)), ("prompts:service_list", ()), ("prompts:service_detail", ("greeter",)),
    ("prompts:service_chat", ("greeter",)),
]  # fmt: skip
LINK = re.compile(r'<a\b[^>]*\bhref="(/p/harbour/[^"#?]*)')
ACTION = re.compile(r'\baction="(/p/harbour/[^"]*)"')


def offered(house: House, part: str) -> tuple[set[str], set[str]]:
    """Addresses that the pages of both areas link to, and those their forms post to."""
    links: set[str] = set()
    actions: set[str] = set()
    for name, args in PAGES:
        answer = house.client(part).get(reverse(name, args=["harbour", *args]))
        assert answer.status_code == 200, name
        body = answer.content.decode()
        links |= set(LINK.findall(body))
        actions |= set(ACTION.findall(body))
    return links, actions


@pytest.mark.parametrize("part", ["viewer", "expert", "data_scientist", "engineer", "owner"])
def test_pages_offer_only_what_the_role_may_do(house: House, asked: Any, part: str) -> None:
    service = make_service(house)
    make_evaluation(house, service.version.deployment.model_version)  # type: ignore[union-attr,arg-type]
    links, actions = offered(house, part)
    client = house.client(part)
    assert len(links) > 10
    assert [link for link in sorted(links) if client.get(link).status_code == 403] == []
    assert [action for action in sorted(actions) if client.post(action).status_code == 403] == []


def test_empty_playground_offers_to_deploy_only_to_those_who_may(house: House) -> None:
    create = reverse("lms:deployment_create", args=["harbour"])
    for part, offers in (("viewer", False), ("expert", False), ("engineer", True)):
        body = house.client(part).get(reverse("lms:playground", args=["harbour"])).content.decode()
        assert (f'href="{create}"' in body) is offers, part
    assert 'class="empty"' in body


def test_who_may_sees_the_buttons(house: House) -> None:
    make_service(house)
    links, actions = offered(house, "engineer")
    assert reverse("lms:deployment_connect", args=["harbour"]) in links
    assert reverse("prompts:service_switch", args=["harbour", "greeter"]) in actions
    assert reverse("prompts:version_create", args=["harbour", "greeter"]) in actions
    assert reverse("lms:model_delete", args=["harbour", "tiny"]) in actions
