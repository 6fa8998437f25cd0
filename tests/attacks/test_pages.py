"""Every page and every collection, as a hostile browser would ask for them: the URL map is the list.

A route is asked a sixth of the odd values, another sixth than its neighbour, by half of the foreign sites and by a
third of the foreign hosts; `THOROUGH=1` asks every route all of them.
"""

import os
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote
from zlib import crc32

import pytest
from django.test import Client
from django.urls import reverse

from apps.datasets.models import Dataset
from apps.gpucloud.services import submit_job
from apps.prompts.services import create_prompt
from tests.attacks.furnished import Furnished
from tests.attacks.matrix import undone
from tests.attacks.test_matrix import FORGED, METHODS, collections, name_of, pages
from tests.attacks.test_matrix_elsewhere import account_addresses, admin_addresses
from tests.factories import make_artefact, make_house, make_user

pytestmark = pytest.mark.django_db
SHARE = 6
Value = TypeVar("Value")
FORM = "application/x-www-form-urlencoded"
INLINE, EVAL = "'unsafe-inline'", "'unsafe-eval'"
ANYWHERE = ("*", "http:", "https:", "data:", "blob:")
ABROAD = "abroad-7c1d"
"""In the slug of a project, and in the names of all that is in it, where the asking owner is nobody."""

VALUES = [
    "%00", "a%00b", "9" * 400, "-1", "1e400", "%ED%A0%80", "%FF%FE", "'; DROP TABLE core_user; --", "[]", "{}", "NaN",
    "../../../etc/passwd", "%252e%252e%252fetc%252fpasswd", "..%5C..%5Cwindows", "x" * 5000, "٣", "1_000",
    "%F0%9F%92%A9",
]  # fmt: skip
QUERIES = (
    "q", "type", "action", "page", "state", "kind", "version", "with", "from", "before", "after", "model", "name",
    "tab", "format", "query", "limit", "cursor", "direction", "suite", "dataset", "benchmark", "next", "sort", "view",
)  # fmt: skip
FIELDS = (
    "name", "slug", "description", "role", "rights", "email", "language", "next", "version", "number", "enabled",
    "model", "replicas", "runtime", "cpus", "messages", "variables", "content-0", "roles", "steps", "settings",
    "params", "source", "external_url", "card", "licence", "deployment", "temperature", "max_tokens", "priority",
    "format", "encoding", "text", "url", "events", "object_id", "yaml",
)  # fmt: skip
JSON_BODIES = ("", "{", "[]", '{"messages": [{"content": "\\ud800"}]}', '{"messages": ' + "[" * 990 + "]" * 990 + "}")
FORGED_PAGES = ("&".join(FORGED), f"project={ABROAD}")
ODD_PAGES = (
    "q=a&q=b&q=%00", "cursor=AAAA&cursor=x", "page=99999999999999999999",
    "sort=-x", "sort=user__password", "model=not-a-uuid", "user=1&user=2", "filter=owner__password__startswith%3Da",
)  # fmt: skip
FORGED_API = (f"project={ABROAD}", "project=harbour&project=" + ABROAD, "cursor=AAAA", "cursor=x&cursor=y", "limit=0")
HOSTS = ("evil.example", "127.0.0.1.evil.example", "evil.example:8000", "127.0.0.1:8000@evil.example", "")
ELSEWHERE = ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Referer": "https://evil.example/"})


def some(values: Sequence[Value], route: str, share: int = SHARE) -> Sequence[Value]:
    """Routes share the code that reads what is asked, so all of them together meet every value often enough."""
    return values if os.environ.get("THOROUGH") else values[crc32(route.encode()) % share :: share]


@pytest.fixture(scope="module")
def abroad(standing_place: Furnished) -> None:
    house = make_house(ABROAD)
    owner, project = house.actor(), house.project
    Dataset.objects.create(project=project, name=ABROAD)
    create_prompt(owner, project, ABROAD)
    submit_job(owner, project, "gpucloud.check", {}, name=ABROAD)
    make_artefact(project, ABROAD)
    house.key()


def shows_abroad(answer: Any, asked: str) -> bool:
    """Whether it tells of that project more than what was asked itself."""
    text = "" if answer.streaming else answer.content.decode(errors="replace")
    for echo in (f'value="{ABROAD}"', f"={ABROAD}", f"“{ABROAD}”"):
        text = text.replace(echo, "") if ABROAD in asked else text
    return ABROAD in text


def browser(place: Furnished) -> Client:
    client = place.house.client("owner")
    client.raise_request_exception = False
    return client


def operator() -> Client:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    root = make_user("operator", is_staff=True, is_superuser=True)
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


# --- odd questions


@pytest.mark.usefixtures("abroad")
@pytest.mark.parametrize(("name", "view", "names"), pages(), ids=name_of)
def test_no_odd_question_is_our_error(place: Furnished, name: str, view: Any, names: set[str]) -> None:
    """One parameter is enough for a page to fall over; all at once find each of them."""
    client, url, values = browser(place), place.address(name, names), some(VALUES, name)
    odd = ["&".join(f"{query}={value}" for query in QUERIES) for value in values]
    for query in [*odd, *some(ODD_PAGES, name), *FORGED_PAGES]:
        with undone():
            answer = client.get(f"{url}?{query}")
        assert answer.status_code < 500, (query[:200], answer.content[:500])
        assert not shows_abroad(answer, query), query[:200]
    sent = [
        (("&".join(f"{field}={value}" for field in FIELDS)), "application/x-www-form-urlencoded") for value in values
    ]
    for body, kind in [*sent, *((body, "application/json") for body in some(JSON_BODIES, name))]:
        with undone():
            answer = client.post(url, body, content_type=kind)
        assert answer.status_code < 500 or answer.status_code == 503, (body[:80], answer.content[:500])


@pytest.mark.usefixtures("abroad")
@pytest.mark.parametrize(
    ("name", "view", "names"),
    [route for route in collections() if route[0] not in {"job-events", "schema"}],  # the one does not end
    ids=name_of,
)
def test_no_odd_parameter_is_our_error(place: Furnished, name: str, view: Any, names: set[str]) -> None:
    api, url = place.house.api("owner"), place.address(name, names)
    api.raise_request_exception = False
    known = [*getattr(getattr(view, "cls", None), "filterset_fields", ())]
    asked = {*known, "project", "cursor", "limit", "ordering", "after", "since", "names", "format", "state", "kind"}
    listing = name.endswith("-list")
    forged = [f"{query}={value}" for query in sorted(asked) for value in some(VALUES if listing else VALUES[:6], name)]
    for query in [*forged, *FORGED_API, *FORGED]:
        answer = api.get(f"{url}?{query}")
        assert answer.status_code < 500, (query[:200], answer.content[:300])
        if answer.status_code >= 400 and answer.status_code != 405:
            assert answer["Content-Type"] == "application/problem+json", query[:200]
        assert not shows_abroad(answer, query), (query[:200], answer.content[:1000])


@pytest.mark.parametrize("value", [*VALUES, quote("{{ 7*7 }}"), quote("<svg/onload=alert(1)>")])
def test_an_odd_id_finds_nothing(place: Furnished, value: str) -> None:
    api = place.house.api("owner")
    api.raise_request_exception = False
    details = [name for name, _view, names in collections() if name.endswith("-detail") and "pk" in names]
    for name in details:
        url = reverse(name, args=["0"]).removesuffix("0/") + value.replace("/", "%2F") + "/"
        for method in ("get", "delete"):
            answer = getattr(api, method)(url)
            assert answer.status_code in {400, 404, 405, 301}, (url, method, answer.status_code)
            assert b"<svg" not in answer.content


# --- requests from other sites


@pytest.mark.parametrize(("name", "view", "names"), [*pages(), *collections()], ids=name_of)
def test_no_other_site_reaches_a_route(place: Furnished, name: str, view: Any, names: set[str]) -> None:
    """A session alone changes nothing: a token from one of our own pages must come along, to our own host."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(place.house.owner, backend="django.contrib.auth.backends.ModelBackend")
    url = place.address(name, names)
    internal = getattr(getattr(view, "view_class", None), "right", "") == "internal"
    for method in METHODS[1:]:
        for headers in some(ELSEWHERE, name + method, 2):
            answer = getattr(client, method)(url, headers=headers)
            assert answer.status_code in ({404, 405} if internal else {403, 405}), (method, headers, answer.status_code)
    for method in METHODS:
        for host in some(HOSTS, name + method, 3):
            answer = getattr(client, method)(url, headers={"Host": host}, SERVER_NAME="evil.example")
            assert answer.status_code == 400, (host, method, answer.status_code)


def test_no_token_helps_a_foreign_origin(place: Furnished) -> None:
    """Even a stolen token counts only with an Origin of ours; with one it does: the refusals above mean something."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(place.house.owner, backend="django.contrib.auth.backends.ModelBackend")
    url = reverse("core:project_create")
    page = client.get(url).content.decode()
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    assert len(token) == 64
    body = {"csrfmiddlewaretoken": token, "name": "Forged", "slug": "forged"}
    for origin in ("https://evil.example", "null", "http://testserver:1", "https://testserver"):
        assert client.post(url, body, headers={"Origin": origin}).status_code == 403, origin
    assert client.post(url, body, headers={"Origin": "http://testserver"}).status_code != 403


def test_admin_and_account_pages_want_a_token_too(place: Furnished) -> None:
    client = operator()
    for url in [*admin_addresses(), *account_addresses()]:
        for headers in ELSEWHERE:
            assert client.post(url, headers=headers).status_code in {403, 404, 405}, url
        assert client.post(url, headers={"Host": "evil.example"}).status_code == 400, url


# --- the policy


@pytest.mark.parametrize(("name", "view", "names"), [*pages(), *collections()], ids=name_of)
def test_every_page_has_a_strict_policy(place: Furnished, name: str, view: Any, names: set[str]) -> None:
    url = place.address(name, names)
    if name != "job-events":  # does not end
        strict(browser(place).get(url))
    strict(Client().get(url))


def strict(answer: Any, loose: dict[str, set[str]] | None = None) -> None:
    """loose: words a directive may have beyond the strict ones."""
    policy = {part.split()[0]: part.split()[1:] for part in answer["Content-Security-Policy"].split("; ")}
    assert policy["default-src"] == ["'self'"]
    assert policy["object-src"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == policy["form-action"] == ["'self'"]
    for directive, words in policy.items():
        allowed = (loose or {}).get(directive, set()) | ({"data:"} if directive == "img-src" else set())
        assert not [word for word in words if word in {INLINE, EVAL, *ANYWHERE} - allowed], directive
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"


def test_account_pages_errors_and_the_schema_have_it_too(place: Furnished) -> None:
    client = browser(place)
    for url in [*account_addresses(), reverse("schema"), reverse("project-list"), "/nothing/here", "/api/v1/nothing/"]:
        strict(client.get(url))
        strict(Client().get(url))


def test_the_admin_runs_no_inline_script(place: Furnished) -> None:
    """Its library builds functions from text and sets styles; what is written into a page still does not run."""
    client = operator()
    for url in admin_addresses():
        strict(client.get(url), {"script-src": {EVAL}, "style-src": {INLINE}})
    strict(client.get(reverse("home")))
