"""Every route × method × (nobody, a stranger, a viewer, an expired key): generated from the URL map.

A page says its rule by `project_page`, `signed_in_page` or `open_page`; a collection by being a `ProjectViewSet`, or by
`right = "signed_in"` when it belongs to no project. A new route without a rule fails here.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.core import authentication
from apps.core.access import ROLE_RIGHTS
from apps.core.models import ApiKey, Role
from apps.core.rest import ProjectViewSet
from tests.factories import House, make_artefact, make_house

pytestmark = pytest.mark.django_db

OTHERS = ("account/", "admin/")
"""Pages of allauth and of the admin keep their own rules."""
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
        except Exception as error:  # noqa: BLE001 (the converter wants another type)
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
    if name in OPEN:
        return
    known = issubclass(cls, ProjectViewSet) or getattr(cls, "right", "") == "signed_in"
    assert known, f'{name} has no rule: make it a ProjectViewSet, or say `right = "signed_in"` if it shows no project'
    url = address(name, names, house)
    for method in ("get", "post", "put", "patch", "delete"):
        assert getattr(house.client(None), method)(url).status_code == 401, method
    body = {"project": house.project.slug}
    for method in ("post", "put", "patch", "delete"):
        stranger = getattr(house.api("stranger"), method)(url, body, content_type="application/json").status_code
        assert 400 <= stranger < 500, (method, stranger)
        viewer = getattr(house.api("viewer"), method)(url, body, content_type="application/json").status_code
        assert 400 <= viewer < 500, (method, viewer)
    seen = house.api("stranger").get(url)
    assert seen.status_code in {200, 400, 404, 405}, seen.status_code
    assert str(house.project.pk) not in seen.content.decode(errors="replace")


@pytest.mark.parametrize(
    ("name", "view", "names"), collections(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_expired_key_opens_nothing(house, name, view, names):
    if name in OPEN:
        return
    api = house.api("owner")
    ApiKey.objects.update(expires_at=timezone.now())
    for method in ("get", "post", "put", "patch", "delete"):
        assert getattr(api, method)(address(name, names, house)).status_code == 401, method


@pytest.mark.parametrize(
    "query", ["_connector=OR", "project__team=1", "user__password__startswith=a", "id__in=1", "x=1"]
)
@pytest.mark.parametrize(
    ("name", "view", "names"),
    [route for route in collections() if route[0].endswith("-list")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_named_filters_exist(house, name, view, names, query):
    answer = house.api("owner").get(f"{address(name, names, house)}?{query}")
    if answer.status_code != 405:
        assert answer.status_code == 400, answer.content[:300]
        assert answer["Content-Type"] == "application/problem+json"


def test_a_key_of_one_project_opens_no_other(house):
    theirs = make_artefact(house.other_project, "theirs")
    api = house.api("owner")
    assert api.get(reverse("artefact-detail", args=[theirs.pk])).status_code == 404
    assert api.get(reverse("artefact-list"), {"project": house.other_project.slug}).status_code == 404
