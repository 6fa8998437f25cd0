"""Every route × method × (nobody, a stranger, a viewer, an expired key): generated from the URL map.

A page says its rule by `project_page`, `signed_in_page` or `open_page`; a collection by being a `ProjectViewSet`, or by
`right = "signed_in"` when it belongs to no project. A new route without a rule fails here.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.core import authentication
from apps.core.access import ROLE_RIGHTS
from apps.core.models import ApiKey, Role
from apps.core.rest import ProjectViewSet
from tests.factories import House, bearer, make_artefact, make_house, make_key

pytestmark = pytest.mark.django_db

OTHERS = ("account/", "admin/")
"""Pages of allauth and of the admin keep their own rules."""
METHODS = ("get", "post", "put", "patch", "delete")
FORGED = ("_connector=OR", "project__team=1", "user__password__startswith=a", "id__in=1", "x=1")
OPEN = {"schema"}
"""API routes that everybody may read."""


def routes() -> Iterator[tuple[str, Any, set[str]]]:
    """(name, view, names of its arguments) of every route of ours."""
    yield from _walk(get_resolver().url_patterns, "", "", set())


def _walk(patterns: list[Any], place: str, namespace: str, arguments: set[str]) -> Iterator[tuple[str, Any, set[str]]]:
    for pattern in patterns:
        here = place + str(pattern.pattern)
        names = arguments | set(pattern.pattern.converters) | set(pattern.pattern.regex.groupindex)
        if here.startswith(OTHERS) and here != "account/profile/":
            continue
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, here, inner, names)
        elif isinstance(pattern, URLPattern):
            yield namespace + str(pattern.name), pattern.callback, names


def pages() -> list[tuple[str, Any, set[str]]]:
    return [route for route in routes() if not is_api(route[1])]


def collections() -> list[tuple[str, Any, set[str]]]:
    return [route for route in routes() if is_api(route[1])]


def is_api(view: Any) -> bool:
    return hasattr(view, "cls") or hasattr(view, "view_class")


def address(name: str, names: set[str], house: House) -> str:
    """The route with the house's project, and ids of nothing."""
    stand_ins = {"project": house.project.slug, "type": "thing", "pk": str(uuid.uuid4()), "token": "x"}
    tries = [uuid.uuid4(), 1, "nothing"]
    for stand_in in tries:
        try:
            return reverse(name, kwargs={name: stand_ins.get(name, stand_in) for name in names - {"format"}})
        except Exception as error:
            last = error
    raise last


@pytest.fixture
def house(monkeypatch):
    monkeypatch.setattr(authentication, "FAILURES_PER_MINUTE", 10_000)
    return make_house()


@pytest.mark.parametrize(("name", "view", "names"), pages(), ids=lambda value: value if isinstance(value, str) else "")
def test_pages(house, name, view, names):
    rule = getattr(view, "right", None)
    assert rule, f"{name} has no rule: decorate it with project_page, signed_in_page or open_page"
    url = address(name, names, house)
    for method in ("get", "post"):
        nobody = getattr(house.client(None), method)(url).status_code
        if rule == "open":
            assert nobody < 500, (method, nobody)
            continue
        assert nobody in {302, 401, 405}, (method, nobody)
        if "project" not in names:
            continue
        assert getattr(house.client("stranger"), method)(url).status_code in {404, 405}, method
        for role in Role.values:
            status = getattr(house.client(role), method)(url).status_code
            if rule not in ROLE_RIGHTS[role]:
                assert status in {403, 405}, (method, role, status)
            assert status < 500, (method, role, status)


@pytest.mark.parametrize(
    ("name", "view", "names"), collections(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_collections(house, name, view, names):
    cls = getattr(view, "cls", None) or view.view_class
    rule = "project" if issubclass(cls, ProjectViewSet) else getattr(cls, "right", "open" if name in OPEN else None)
    assert rule, f'{name} has no rule: make it a ProjectViewSet, or say `right = "signed_in"` if it shows no project'
    url = address(name, names, house)
    if rule == "internal":
        for part in ("owner", "stranger"):
            assert all(getattr(house.api(part), method)(url).status_code in {404, 405} for method in METHODS)
    elif rule != "open":
        nobody_gets_in(house, url)
        writes_are_refused(house, url)
        lists_show_nothing_else(house, url)


def nobody_gets_in(house: House, url: str) -> None:
    expired = Client(headers=bearer(make_key(house.owner, house.project)))
    ApiKey.objects.update(expires_at=timezone.now())
    for method in METHODS:
        assert getattr(house.client(None), method)(url).status_code == 401, method
        assert getattr(expired, method)(url).status_code == 401, method


def writes_are_refused(house: House, url: str) -> None:
    """By strangers always; by viewers unless the body says what to do, and here it does not."""
    body = {"project": house.project.slug}
    for part in ("stranger", "viewer"):
        for method in METHODS[1:]:
            status = getattr(house.api(part), method)(url, body, content_type="application/json").status_code
            assert 400 <= status < 500, (part, method, status)


def lists_show_nothing_else(house: House, url: str) -> None:
    seen = house.api("stranger").get(url)
    assert seen.status_code in {200, 400, 404, 405}, seen.status_code
    assert str(house.project.pk) not in seen.content.decode(errors="replace")
    for query in FORGED if seen.status_code == 200 else ():
        answer = house.api("owner").get(f"{url}?{query}")
        assert answer.status_code == 400, (query, answer.content[:300])
        assert answer["Content-Type"] == "application/problem+json"


def test_a_key_of_one_project_opens_no_other(house):
    theirs = make_artefact(house.other_project, "theirs")
    api = house.api("owner")
    assert api.get(reverse("artefact-detail", args=[theirs.pk])).status_code == 404
    assert api.get(reverse("artefact-list"), {"project": house.other_project.slug}).status_code == 404
