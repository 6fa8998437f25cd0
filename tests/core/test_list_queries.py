"""No list asks more than 8 questions of the database, however many rows it shows; a new list is counted by being there.

The counts stand in tests/golden/list_queries.json; `UPDATE_GOLDEN=1` writes them anew.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aifs import urls
from aifs.source_map import urls as urls_by_name
from apps.core import lists
from apps.core.models import User
from tests.crowd import Crowd
from tests.factories import House, make_house
from tests.servers import ROOT

pytestmark = pytest.mark.django_db
GOLDEN = ROOT / "tests/golden/list_queries.json"
MOST, MOST_OF_A_PAGE = 8, 24
ROWS = 40
"""More than a page."""


def page_lists() -> list[lists.List]:
    return lists.all_lists()


def api_lists() -> dict[str, Any]:
    """Every collection of the API that can be listed, by its prefix."""
    return {prefix: viewset for prefix, viewset, _base in urls.api().registry if hasattr(viewset, "list")}


@pytest.fixture(scope="module")
def house(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    """One house with a crowd in it for all counts of this file; it goes when they are done."""
    from django.db import transaction

    with django_db_blocker.unblock():
        block = transaction.atomic()
        block.__enter__()
        house = make_house("crowded")
        Crowd(house.project, house.owner).fill(ROWS)
        yield house
        transaction.set_rollback(True)
        block.__exit__(None, None, None)


def queries(client: Client, address: str, most: int = MOST) -> int:
    client.get(address)  # the first request also writes the session and fills caches
    counts = []
    for _time in range(2):  # a question that is not of the page (a session noted anew, say) comes once at most
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(address)
        assert answer.status_code == 200, address
        counts.append(len(asked))
    if min(counts) > most:
        print("\n".join(query["sql"][:300] for query in asked.captured_queries))
    return min(counts)


def test_pages(house: House) -> None:
    client = house.client("owner")
    counts, empty = {}, []
    for spec in page_lists():
        address = reverse(spec.url_name, args=[house.project.slug])
        counts[spec.url_name] = queries(client, address)
        if not client.get(address).context["list"]["rows"]:
            empty.append(spec.url_name)
    assert not empty, f"tests/crowd.py makes no rows for {empty}"
    check("pages", counts)


def test_lists_of_a_person(house: House) -> None:
    client = house.client("owner")
    names = ("core:notification_list", "core:session_list", "core:notification_settings")
    check("person", {name: queries(client, reverse(name)) for name in names})


def test_lists_that_are_no_table(house: House) -> None:
    client = house.client("owner")
    names = ("core:settings_webhooks", "core:settings_team", "gpucloud:cluster")
    check("no table", {name: queries(client, reverse(name, args=[house.project.slug])) for name in names})


def test_other_pages_of_a_project(house: House) -> None:
    """Whatever opens with a project alone and is no list: it may ask more, but not more than it did."""
    client, counts, listed = house.client("owner"), {}, json.loads(GOLDEN.read_text())
    known_lists = listed["pages"] | listed["no table"]
    for url in urls_by_name().values():
        whole = url.route.startswith("p/<slug:project>/") and url.route.count("<") == 1
        if whole and url.name not in known_lists and not url.is_deed:
            address = reverse(url.name, args=[house.project.slug])
            counts[url.name] = queries(client, address, most=MOST_OF_A_PAGE)
    check("other pages", counts, MOST_OF_A_PAGE)
    assert counts.keys() == listed["other pages"].keys(), "UPDATE_GOLDEN=1 takes a new page in"


def test_api(house: House) -> None:
    client = house.api("owner")
    check("api", {prefix: queries(client, f"/api/v1/{prefix}/") for prefix in api_lists()})


def test_admin(house: House, admin_user: User) -> None:
    client = Client()
    client.force_login(admin_user, backend="django.contrib.auth.backends.ModelBackend")
    names = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
    check("admin", {name: queries(client, reverse(f"admin:{name}_changelist")) for name in names})


def check(part: str, counts: dict[str, int], most: int = MOST) -> None:
    too_many = {name: count for name, count in counts.items() if count > most}
    assert not too_many, too_many
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {part: {}}
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(golden | {part: dict(sorted(counts.items()))}, indent=1) + "\n")
        return
    known = golden.get(part, {})
    more = {name: (known.get(name), count) for name, count in counts.items() if count > known.get(name, most)}
    assert not more, f"asks more than it did (then, now): {more}"
