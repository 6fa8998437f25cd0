"""What every registered list can do: open, sort, search, turn pages, CSV, views; and that nothing hostile upsets it."""

import csv
import io
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.urls import reverse

from apps.core import lists
from apps.core.lists import paging, state
from apps.core.lists.own import ARTEFACTS
from apps.core.models import Artefact, SavedView
from tests.crowd import Crowd
from tests.factories import House, make_artefact, make_house

pytestmark = pytest.mark.django_db
import_module("aifs.urls")  # the views register their lists
ALL = [spec.url_name for spec in lists.all_lists()]


@pytest.fixture
def house() -> House:
    return make_house()


def address(house: House, url_name: str) -> str:
    return reverse(url_name, args=[house.project.slug])


def spec_of(url_name: str) -> lists.List:
    spec = lists.get(url_name)
    assert spec
    return spec


def walk(client: Client, url: str, way: str = "after") -> list[list[Any]]:
    """Ids of every page, turning until there is none."""
    pages, query = [], url
    while query:
        shown = client.get(query).context["list"]
        pages.append([id_of(row) for row in shown["rows"]])
        query = url.partition("?")[0] + shown[way] if shown[way] else ""
        assert len(pages) < 50
    return pages


def id_of(row: Any) -> Any:
    if not isinstance(row, dict):
        return row.pk
    thing = next(
        row[name] for name in ("deployment", "job", "node", "model", "artefact", "story", "event") if name in row
    )
    return getattr(thing, "job", thing).pk


def read(answer: Any) -> str:
    async def parts() -> bytes:
        return b"".join([part async for part in answer.streaming_content])

    return async_to_sync(parts)().decode()  # in this thread, which has the test's transaction


@pytest.mark.parametrize("url_name", ALL)
def test_it_opens_for_who_may_and_for_nobody_else(house: House, url_name: str) -> None:
    url, right = address(house, url_name), spec_of(url_name).right
    assert house.client("owner").get(url).status_code == 200
    assert house.client("viewer").get(url).status_code == (200 if right == "view" else 403)
    assert house.client(None).get(url).status_code == 302
    assert house.client("stranger").get(url).status_code == 404


@pytest.mark.parametrize("url_name", ALL)
def test_every_order_shows_every_row_once_in_both_directions(
    house: House, url_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Crowd(house.project, house.owner).fill(16)
    client, spec = house.client("owner"), spec_of(url_name)
    turn = paging.turn
    monkeypatch.setattr(paging, "turn", lambda rows, order, _size, **where: turn(rows, order, 6, **where))
    everything = set(spec.rows(house.actor("owner"), house.project).values_list("pk", flat=True))
    assert len(everything) > 1
    for column in spec.columns:
        for sign in ("", "-") if column.order else ():
            url = f"{address(house, url_name)}?sort={sign}{column.name}"
            pages = walk(client, url)
            there = [id for page in pages for id in page]
            assert len(pages) > 1
            assert len(there) == len(set(there)) and set(there) == everything
            back = walk(client, f"{url}&before=last", "before")
            assert [id for page in reversed(back) for id in page] == there


@pytest.mark.parametrize("url_name", ALL)
def test_hostile_addresses_are_harmless(house: House, url_name: str) -> None:
    Crowd(house.project, house.owner).fill(3)
    client, url = house.client("owner"), address(house, url_name)
    cursors = ["x", "../..", "%00", "bnVsbA", "W10", "WyJhIiwgImIiXQ", "A" * 3000]
    for made in (
        [1e300, str(house.project.pk)],
        ["x", str(house.project.pk)],
        [[], str(house.project.pk)],
        [10**30, "x"],
    ):
        cursors.append(paging.base64.urlsafe_b64encode(paging.json.dumps(made).encode()).decode())
    for cursor in cursors:
        for way in ("before", "after"):
            assert client.get(f"{url}?{way}={cursor}").status_code == 200
    for query in (
        "q=%00",
        "q=' OR 1=1",
        "sort=;drop",
        "sort=-",
        "sort=user__password",
        "kind=%27",
        "state=x",
        "q=" + "a " * 300,
    ):
        assert client.get(f"{url}?{query}").status_code == 200


@pytest.mark.parametrize("url_name", ALL)
def test_csv_holds_every_row_that_the_address_asks_for(house: House, url_name: str) -> None:
    Crowd(house.project, house.owner).fill(65)
    spec = spec_of(url_name)
    answer = house.client("owner").get(f"{address(house, url_name)}?format=csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment") and ".csv" in answer["Content-Disposition"]
    text = read(answer)
    assert text.startswith("\ufeff")
    head, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert head == [str(column.label) for column in spec.columns if column.value]
    assert len(rows) == spec.rows(house.actor("owner"), house.project).count()


def test_csv_is_no_formula_and_follows_search(house: House) -> None:
    for name in ("=cmd|' /C calc'!A0", "+1+1", "@sum", "-2+3", "plain, with a comma", "数据"):
        make_artefact(house.project, name)
    url = address(house, ARTEFACTS.url_name)
    rows = list(csv.reader(io.StringIO(read(house.client("viewer").get(f"{url}?format=csv")).removeprefix("\ufeff"))))
    names = {row[0] for row in rows[1:]}
    assert {"'=cmd|' /C calc'!A0", "'+1+1", "'@sum", "'-2+3", "plain, with a comma", "数据"} == names
    found = read(house.client("viewer").get(f"{url}?format=csv&q=comma"))
    assert found.count("\r\n") == 2


def test_search_wants_every_word_in_any_order(house: House) -> None:
    for name in ("red harbour crane", "blue harbour", "red tide"):
        make_artefact(house.project, name)
    client, url = house.client("viewer"), address(house, ARTEFACTS.url_name)
    names = lambda query: [row["artefact"].name for row in client.get(url, {"q": query}).context["rows"]]  # noqa: E731
    assert names("CRANE red") == ["red harbour crane"]
    assert names("harbour") == ["blue harbour", "red harbour crane"]
    assert names(str(Artefact.objects.get(name="red tide").pk)) == ["red tide"]
    assert "Nothing fits" in client.get(url, {"q": "zzz"}).content.decode()


def test_new_rows_shift_no_page(house: House) -> None:
    for number in range(40):
        make_artefact(house.project, f"a{number:02}")
    client, url = house.client("viewer"), address(house, ARTEFACTS.url_name)
    first = client.get(url).context["list"]
    make_artefact(house.project, "newest")
    second = client.get(url + first["after"]).context["list"]
    assert [row["artefact"].name for row in second["rows"]] == [f"a{number:02}" for number in range(9, -1, -1)]


def test_heads_say_how_the_list_is_sorted_and_turn_it(house: House) -> None:
    make_artefact(house.project)
    client, url = house.client("viewer"), address(house, ARTEFACTS.url_name)
    heads = {head["column"].name: head for head in client.get(f"{url}?sort=name").context["list"]["heads"]}
    assert heads["name"]["sorted"] == "ascending" and "sort=-name" in heads["name"]["url"]
    assert heads["size"]["sorted"] == "" and "sort=-size" in heads["size"]["url"]
    assert 'aria-sort="ascending"' in client.get(f"{url}?sort=name").content.decode()


def test_a_default_view_is_shown_unless_the_address_says_otherwise(house: House) -> None:
    make_artefact(house.project, "crane")
    SavedView.objects.create(
        user=house.viewer, list=ARTEFACTS.url_name, name="Cranes", query="q=crane", is_default=True
    )
    url = address(house, ARTEFACTS.url_name)
    answer = house.client("viewer").get(url)
    assert (answer.status_code, answer["Location"]) == (302, f"{url}?q=crane")
    assert house.client("viewer").get(f"{url}?all=1").status_code == 200
    assert house.client("owner").get(url).status_code == 200  # somebody else's view is none of theirs


def test_empty_lists_say_what_to_do_and_offer_it_to_who_may(house: House) -> None:
    for spec in lists.all_lists():
        page = house.client("viewer").get(address(house, spec.url_name))
        if page.status_code == 200 and not page.context["list"]["rows"]:
            assert 'class="empty"' in page.content.decode(), spec.url_name
            if spec.empty.url and spec.empty.right != "view":
                assert spec.empty.url(house.project) not in page.content.decode().partition('class="empty"')[2]
                owners = house.client("owner").get(address(house, spec.url_name)).content.decode()
                assert spec.empty.url(house.project) in owners


def test_a_list_is_described_once_and_sorts_by_what_it_has() -> None:
    with pytest.raises(ValueError, match="twice"):
        lists.register(ARTEFACTS)


def test_normal_keeps_only_what_the_list_knows() -> None:
    assert state.normal(ARTEFACTS, "q=+crane+&sort=-name&after=abc&evil=1&format=csv") == "q=crane&sort=-name"
    assert state.normal(ARTEFACTS, "sort=-made") == ""
