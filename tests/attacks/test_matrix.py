"""Every route × method × everybody who may come: generated from the URL map.

A page says its rule by `project_page`, `signed_in_page` or `open_page`; a collection by being a `ProjectViewSet`, or by
`right = "signed_in"` when it belongs to no project. A new route without a rule fails here. Sockets, the gateway, the
admin and the account pages are in `test_matrix_elsewhere.py`.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.core.models import Role
from apps.core.rest import ProjectViewSet
from apps.gpucloud.api import JobsViewSet
from tests.attacks.furnished import Furnished
from tests.attacks.matrix import ACTORS, LESSER, OUTSIDE, ROLES, UNKNOWN, Table, browser, program, rights_of, undone
from tests.factories import House, make_artefact

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete")
FORGED = (
    "_connector=OR", "project__team=1", "owner__password__startswith=a", "user__password__startswith=a", "id__in=1",
    "x=1", "ordering=user__password", "ordering=-x", "ordering=pk%3B", "limit__gt=1", "project__id=1", "pk=1",
)  # fmt: skip
OPEN = {"schema"}
"""API routes that everybody may read."""
SELF_SERVICE = {"api-key-list": "post", "api-key-detail": "delete", "member-detail": "delete", "project-list": "post"}
"""What every member may do for himself: make and revoke his own key, leave, start a project of his own."""
KEYS = ("api-key-detail", "api-key-rotate", "core:api_key_revoke", "core:api_key_rotate")
OTHERS_WORDS = ("comment-detail", "core:comment_edit", "core:comment_delete")
OWN = {name: {403} for name in ("upload-detail", *OTHERS_WORDS)} | {name: {404} for name in KEYS}
"""What somebody who is not the owner of the project is told about a thing of the owner."""
VALIDATES_FIRST = {"upload-list", "upload-detail", "prompt-version-list", "job-publish"}
"""Says what is wrong with a request before it looks at who sends it."""


def every_route() -> Iterator[tuple[str, str, Any, set[str]]]:
    """(place, name, view, names of its arguments) of the whole URL map; a place begins without a slash."""
    yield from _walk(get_resolver().url_patterns, "", "", set())


def _walk(
    patterns: list[Any], place: str, namespace: str, arguments: set[str]
) -> Iterator[tuple[str, str, Any, set[str]]]:
    for pattern in patterns:
        here = place + str(pattern.pattern)
        names = arguments | set(pattern.pattern.converters) | set(pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, here, inner, names)
        elif isinstance(pattern, URLPattern):
            yield here, namespace + str(pattern.name), pattern.callback, names


def is_ours(place: str, view: Any) -> bool:
    """The admin keeps a rule of its own; so does what allauth brought under account/, beside pages of ours."""
    return not place.startswith("admin/") and (not place.startswith("account/") or view.__module__.startswith("apps."))


def routes() -> list[tuple[str, Any, set[str]]]:
    """(name, view, names of its arguments) of every route of ours."""
    return [(name, view, names) for place, name, view, names in every_route() if is_ours(place, view)]


def pages() -> list[tuple[str, Any, set[str]]]:
    return [route for route in routes() if not is_api(route[1])]


def collections() -> list[tuple[str, Any, set[str]]]:
    return [route for route in routes() if is_api(route[1])]


def is_api(view: Any) -> bool:
    return hasattr(view, "cls") or hasattr(view, "view_class")


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


# --- pages


@pytest.mark.parametrize(("name", "view", "names"), pages(), ids=name_of)
def test_pages(place: Furnished, table: Table, name: str, view: Any, names: set[str]) -> None:
    rule = getattr(view, "right", None)
    assert rule, f"{name} has no rule: decorate it with project_page, signed_in_page or open_page"
    url = place.address(name, names)
    for actor in ACTORS:
        client = browser(place.house, actor)
        for method in ("get", "post"):
            with undone():
                answer = table.note("page", name, actor, getattr(client, method)(url).status_code)
            right_answer = page_answer(rule, actor, method, in_project="project" in names) | owners(name, actor)
            assert answer in right_answer, (name, actor, method, answer)
    for method in METHODS[2:]:  # nobody may do more than the owner
        assert getattr(browser(place.house, Role.OWNER), method)(url).status_code == 405, (name, method)


def owners(name: str, actor: str) -> set[int]:
    return OWN.get(name, set()) if actor in ROLES and actor != Role.OWNER else set()


def page_answer(rule: str, actor: str, method: str, in_project: bool) -> set[int]:
    """Statuses that are right. 405: the page has no such method, whoever asks."""
    done = {200, 302, 405} if method == "get" else {200, 302, 400, 405, 409, 503}
    if rule == "open":
        return done | {404}
    if actor not in ROLES and actor != "stranger":
        return {302, 405}  # to the sign-in page: a key opens no page
    if actor == "stranger" and in_project:
        return {404, 405}
    if not in_project:
        return done | {404}
    if rule not in rights_of(actor):
        return {403, 405}
    return done if method == "get" else done | {403, 404}  # a deed may need more than the page, or something it names


# --- the API


@pytest.mark.parametrize(("name", "view", "names"), collections(), ids=name_of)
def test_collections(place: Furnished, table: Table, name: str, view: Any, names: set[str]) -> None:
    cls = getattr(view, "cls", None) or view.view_class
    rule = "project" if issubclass(cls, ProjectViewSet) else getattr(cls, "right", "open" if name in OPEN else None)
    assert rule, f'{name} has no rule: make it a ProjectViewSet, or say `right = "signed_in"` if it shows no project'
    url = place.address(name, names)
    for actor in ACTORS:
        client = program(place.house, actor)
        for method in METHODS:
            answer = ask(place.house, client, method, url)
            status = table.note("api", name, actor, answer.status_code)
            right_answer = api_answer(name, view, cls, rule, actor, method) | owners(name, actor)
            assert status in right_answer, (name, actor, method, status, answer.content[:300])
            if actor not in rights_holders() and not answer.streaming and rule == "project":
                assert str(place.house.project.pk) not in answer.content.decode(errors="replace")


def rights_holders() -> set[str]:
    return {*ROLES, *LESSER}


def ask(house: House, client: Any, method: str, url: str) -> Any:
    with undone():
        if method == "get":
            return client.get(url)
        return getattr(client, method)(url, {"project": house.project.slug}, content_type="application/json")


def api_answer(name: str, view: Any, cls: Any, rule: str, actor: str, method: str) -> set[int]:
    """Statuses that are right."""
    action = getattr(view, "actions", {}).get(method) or (method if hasattr(cls, method) else None)
    if rule == "internal":
        return {404, 405}
    if rule == "open":
        return {200, 401} if method == "get" else {401, 405}  # a key need not be sent, but it is looked at
    if actor in UNKNOWN:
        return {401}
    if action is None:
        return {405}
    if rule == "signed_in":
        # what it shows of a project is asked for by its own tests; what it is sent here says too little to do anything
        return {200, 403, 404} | ({400} if method != "get" else set())
    if SELF_SERVICE.get(name) == method:
        return {201, 204, 400, 403, 404}
    listing = action == "list"
    if actor in OUTSIDE:
        return {200} if listing else {400, 403, 404} if name in VALIDATES_FIRST else {403, 404}
    right = needed(cls, action, method)
    if right not in rights_of(actor):
        return {200} if listing else {403, 404} | ({400} if name in VALIDATES_FIRST else set())
    if method == "get":
        return {200}
    return {200, 201, 202, 204, 400, 409, 503} | ({403} if right == "view" else set())


def needed(cls: Any, action: str, method: str) -> str:
    """The right that an action needs in its project. What may be done with a job is said by its kind, and the one that
    stands here is simple."""
    right: str = cls.rights.get(action, "view" if method == "get" else cls.write_right)
    return "run_simple" if issubclass(cls, JobsViewSet) and method != "get" and action != "create" else right


@pytest.mark.parametrize(
    ("name", "view", "names"), [route for route in collections() if route[0].endswith("-list")], ids=name_of
)
def test_only_the_named_filters_exist(place: Furnished, name: str, view: Any, names: set[str]) -> None:
    api = place.house.api("owner")
    for query in FORGED:
        answer = api.get(f"{reverse(name)}?{query}")
        assert answer.status_code == 400, (query, answer.content[:300])
        assert answer["Content-Type"] == "application/problem+json"


def test_a_key_of_one_project_opens_no_other(place: Furnished) -> None:
    theirs = make_artefact(place.house.other_project, "theirs")
    api = place.house.api("owner")
    assert api.get(reverse("artefact-detail", args=[theirs.pk])).status_code == 404
    assert api.get(reverse("artefact-list"), {"project": place.house.other_project.slug}).status_code == 404


def test_lineage_is_of_its_project(place: Furnished) -> None:
    url = place.address("lineage", {"type", "id"})
    answers = {actor: program(place.house, actor).get(url).status_code for actor in ACTORS}
    refused = {"stranger": 404, "key of another project": 404, "key to label": 403} | dict.fromkeys(UNKNOWN, 401)
    assert answers == {actor: refused.get(actor, 200) for actor in ACTORS}
