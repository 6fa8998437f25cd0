"""Secrets of every kind are put where they belong, and looked for everywhere else.

Where they may be read: by whom they are made, in the one answer that makes them, and sealed in the database.
"""

import json
import logging
import os
import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.core import services
from apps.core.lists import all_lists
from apps.core.sealing import Seal
from apps.gpucloud.agent import processes
from apps.gpucloud.models import Job
from apps.gpucloud.services.attempts import build_spec
from apps.lms.services import create_deployment
from tests.attacks.furnished import Furnished, furnish
from tests.attacks.test_exports import body
from tests.attacks.test_matrix import collections, pages
from tests.factories import make_user
from tests.gpucloud.pieces import schedule

pytestmark = pytest.mark.django_db
PASSWORD = "Canary-password-7f3a9c11"
EXTERNAL = "canary-external-key-51d0b2e7"
ENVIRONMENT = "canary-environment-a9e41c05"
LOG = "gpucloud:job_log"
"""The log of a run as a file: it gives the connection back between its parts, which here is the test's own."""
WEBSITE = "https://1.1.1.1/"


@pytest.fixture
def place() -> Furnished:
    return furnish()


@pytest.fixture
def canaries(place: Furnished, monkeypatch: Any) -> dict[str, str]:
    """What may be seen nowhere, by what it is."""
    owner = place.house.owner
    owner.set_password(PASSWORD)
    owner.save()
    monkeypatch.setenv("AIFS_CANARY", ENVIRONMENT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{ENVIRONMENT}-aws")
    _hook, webhook = services.create_webhook(place.house.actor(), place.house.project, WEBSITE, ["job.failed"])
    create_deployment(
        place.house.actor(), place.house.project, "elsewhere", runtime="openai", external_url=WEBSITE,
        external_key=EXTERNAL,
    )  # fmt: skip
    found = {
        "password": PASSWORD, "hash of the password": owner.password,
        "key": place.house.key("owner").rpartition("_")[2],
        "webhook": webhook, "external key": EXTERNAL, "environment": ENVIRONMENT,
        "SECRET_KEY": settings.SECRET_KEY, "password of Redis": re.search(r":([^:@/]+)@", settings.REDIS_URL)[1],
        "password of PostgreSQL": settings.DATABASES["default"]["PASSWORD"],
        "invitation": place.token,
        "hash of the key": owner.api_keys.first().hash,
    }  # fmt: skip
    return {name: secret for name, secret in found.items() if len(secret) >= 8}


def signed_in(place: Furnished, password: str) -> Client:
    client = Client(raise_request_exception=False)
    client.post(reverse("account_login"), {"login": place.house.owner.email, "password": password})
    assert "_auth_user_id" in client.session
    return client


def text_of(answer: Any) -> str:
    return body(answer).decode(errors="replace") + str(dict(answer.items()))


def test_no_page_no_answer_and_no_log_shows_a_secret(place: Furnished, canaries: dict[str, str], caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    client, api, seen = signed_in(place, PASSWORD), place.house.api(), {}
    api.raise_request_exception = False
    for name, _view, names in pages():
        if "token" in names or name == LOG:  # an invitation is opened with its token
            continue
        seen[name] = text_of(client.get(place.address(name, names)))
    for name, _view, names in collections():
        if name != "job-events":  # does not end
            url = place.address(name, names)
            seen[f"GET {name}"] = text_of(api.get(url))
            seen[f"POST {name}"] = text_of(api.post(url, {"project": "x"}, content_type="application/json"))
    for one in all_lists():
        seen[f"{one.url_name}.csv"] = text_of(
            client.get(reverse(one.url_name, args=[place.house.project.slug]), {"format": "csv"})
        )
    for url in ("/nothing/", "/api/v1/nothing/", "/p/nothing/", "/static/nothing"):
        seen[url] = text_of(client.get(url))
    seen["log"] = caplog.text
    assert len(seen) > 150
    made_there = {"password": set(), "key": {"POST api-key-rotate"}}
    for name, secret in canaries.items():
        shown = {where for where, text in seen.items() if secret in text} - made_there.get(name, set())
        assert not shown, (name, shown)


def test_operators_see_no_secret_either(place: Furnished, canaries: dict[str, str]) -> None:
    operator = Client(raise_request_exception=False)
    root = make_user("operator", is_staff=True, is_superuser=True)
    operator.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    seen = {"index": text_of(operator.get(reverse("admin:index")))}
    for model in admin.site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        seen[base] = text_of(operator.get(reverse(f"{base}_changelist")))
        for row in model._default_manager.all()[:3]:
            seen[f"{base} {row.pk}"] = text_of(operator.get(reverse(f"{base}_change", args=[row.pk])))
    assert len(seen) > 20
    canaries = {name: secret for name, secret in canaries.items() if name != "hash of the password"}
    for name, secret in canaries.items():
        shown = {where for where, text in seen.items() if secret in text}
        assert not shown, (name, shown)


def test_an_error_page_shows_no_secret_of_the_request(
    place: Furnished, canaries: dict[str, str], caplog: Any, monkeypatch: Any
) -> None:
    """Not what was sent, not what the code held, not what the exception says."""

    def broken(*_args: Any, **_options: Any) -> None:
        raise RuntimeError(f"broken with {canaries['external key']}")

    monkeypatch.setattr("apps.core.services.create_api_key", broken)
    monkeypatch.setattr("apps.core.services.create_webhook", broken)
    client = signed_in(place, PASSWORD)
    api, wanted = place.house.api(), {"url": WEBSITE, "events": ["job.failed"]}
    api.raise_request_exception = False
    answers = [
        client.post(reverse("core:settings_webhooks", args=[place.house.project.slug]), wanted),
        api.post(reverse("webhook-list"), wanted, content_type="application/json"),
    ]
    assert [answer.status_code for answer in answers] == [500, 500]
    for name, secret in canaries.items():
        assert not [answer for answer in answers if secret in text_of(answer)], name
        if name != "external key":  # the message of an exception is for operators
            assert secret not in caplog.text, name


def test_no_table_holds_a_secret_in_plain(place: Furnished, canaries: dict[str, str]) -> None:
    """Every text column of every table: a stolen dump opens nothing without SECRET_KEY."""
    place.house.key("viewer")
    plain = {name: secret for name, secret in canaries.items() if not name.startswith("hash")}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea')"
        )
        columns = cursor.fetchall()
        assert len(columns) > 100
        for table, column in columns:
            cursor.execute(f'SELECT "{column}"::text FROM "{table}"')  # noqa: S608 — names of the catalogue
            held = " ".join(str(row[0]) for row in cursor.fetchall())
            for name, secret in plain.items():
                assert secret not in held, (name, table, column)
    assert Seal("another key").open(place.house.project.webhooks.first().secret) == ""


def test_no_secret_goes_into_a_job(place: Furnished, canaries: dict[str, str], tmp_path: Any) -> None:
    """Neither into what a run finds around it nor into what it is told."""
    schedule()
    job = Job.objects.get(pk=place.ids["job"])
    spec = build_spec(job, job.attempts.latest("number"))
    environment = processes.child_environment(spec, tmp_path)
    told = json.dumps(environment) + spec.model_dump_json()
    assert environment
    assert ENVIRONMENT in os.environ["AIFS_CANARY"]
    for name, secret in canaries.items():
        assert secret not in told, name
    assert not set(environment) & {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "STORAGE_URL", "AWS_SECRET_ACCESS_KEY"}
