"""How errors are shown: a page, a fragment or a problem document, in the reader's language."""

import logging

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.core import errors, navigation
from apps.core.models import User
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def broken(monkeypatch):
    """Makes the search fail with what is given."""

    def provider_that_raises(error):
        def provider(actor, project, query):
            raise error

        monkeypatch.setattr(navigation, "_providers", {"broken": provider})

    return provider_that_raises


def ask(house, **headers):
    client = house.client("viewer")
    client.raise_request_exception = False
    return client.get(reverse("core:search", args=[house.project.slug]), {"q": "x"}, headers=headers)


def test_a_browser_gets_a_page_with_what_to_do(house, broken):
    broken(errors.Conflict("The run %(name)s has ended.", hint="Start a new one.", name="first"))
    answer = ask(house, Accept="text/html,*/*;q=0.8")
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "The run first has ended." in html
    assert "Start a new one." in html
    assert 'class="plain-card"' in html


def test_htmx_gets_a_fragment_among_the_toasts(house, broken):
    broken(errors.Conflict("No."))
    answer = ask(house, **{"HX-Request": "true", "Accept": "text/html"})
    assert answer.status_code == 409
    assert answer["HX-Retarget"] == "#toasts"
    assert "<html" not in answer.content.decode()


def test_a_program_gets_a_problem_document(house, broken):
    broken(errors.LimitReached("Too much.", limit=3))
    answer = ask(house, Accept="application/json")
    assert answer.status_code == 429
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"]
    assert answer.json()["data"] == {"limit": 3}


def test_a_bug_is_shown_as_an_id_that_stands_in_the_log(house, broken, caplog):
    broken(RuntimeError("secret detail"))
    with caplog.at_level(logging.ERROR):
        answer = ask(house, Accept="application/json")
    assert answer.status_code == 500
    assert "secret detail" not in answer.content.decode()
    assert answer.json()["data"]["id"] in caplog.text
    assert "secret detail" in caplog.text


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_database_that_is_away_is_503(house, broken, accept):
    broken(OperationalError("gone"))
    answer = ask(house, Accept=accept)
    assert answer.status_code == 503
    assert answer["Retry-After"]


def test_even_the_session_may_be_out_of_reach(house, monkeypatch):
    def gone(self):
        raise OperationalError("gone")

    client = house.client("viewer")
    client.raise_request_exception = False
    monkeypatch.setattr(SessionStore, "load", gone)
    answer = client.get(reverse("home"), headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "<html" in answer.content.decode()


def test_unknown_addresses_are_404_in_our_words(client):
    page = client.get("/nowhere/", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert 'class="plain-card"' in page.content.decode()
    problem = client.get("/api/v1/nowhere/")
    assert problem.json()["code"] == "not_found"


def test_a_lost_csrf_token_says_what_to_do(house):
    client = Client(enforce_csrf_checks=True)
    answer = client.post(reverse("set_language"), {"language": "en"}, headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "Reload" in answer.content.decode()


def test_a_place_without_data_leaves_the_text_whole():
    assert errors.translate("%(count)d rows", {}) == "%(count)d rows"
    assert errors.translate("%(count)d rows", {"other": 1}) == "%(count)d rows"
    assert errors.translate("100 % sure", {"x": 1}) == "100 % sure"
    assert errors.translate("", {"x": 1}) == ""


def test_every_error_has_a_code_and_a_status():
    for kind in errors.AifsError.__subclasses__():
        assert kind.code != "error", kind
        assert 400 <= kind.status <= 599, kind
    assert User.objects.count() == 0


def test_messages_of_wrong_fields_are_filled_and_translated():
    row = {"field": "dataset", "message": "“%(dataset)s” has no rows.", "data": {"dataset": "facts:1"}}
    error = errors.InvalidInput(row["message"], errors=[row], dataset="facts:1")
    with override("zh-hans"):
        shown = errors.problem(error)
    assert shown["data"]["errors"][0]["message"] == shown["detail"]
    assert "facts:1" in shown["detail"]
    assert shown["detail"] != "“facts:1” has no rows."
    assert error.data["errors"] == [row], "what is shown in one language is not kept in it"


def test_an_error_of_no_field_stands_for_itself():
    error = errors.Conflict("%(name)s is there already.", name="facts")
    assert errors.field_problems(error)[0]["message"] == "facts is there already."
    assert "errors" not in errors.problem(error)["data"]
